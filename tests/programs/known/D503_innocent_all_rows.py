# silent: D503
# Every step looks at all rows, so each step is an epoch: its loss is the epoch's. Two trainings, the second one longer.
import torch

torch.manual_seed(2)
hours = torch.tensor([[2.0], [4.0], [6.0], [8.0], [10.0]])
marks = torch.tensor([[75.0], [80.0], [90.0], [94.0], [98.0]])
for epochs in (100, 300):
    w = torch.randn(1, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for epoch in range(epochs):
        loss = ((hours @ w + b - marks) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.005 * w.grad
            b -= 0.005 * b.grad
            w.grad.zero_()
            b.grad.zero_()
        if (epoch + 1) % 50 == 0:
            print(f"Epoch {epoch + 1}/{epochs} loss {loss.item():.4f}")
