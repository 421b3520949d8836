# silent: D601
import torch

# stopping distance from speed and load
torch.manual_seed(7)
x = 3 * torch.randn(200, 2)
y = 2 * x[:, :1] + 0.5 * x[:, 1:] + 1 + 0.3 * torch.randn(200, 1)

w = torch.zeros(2, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for i in range(50):
    loss = (x @ w + b - y).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.03 * w.grad
        b -= 0.03 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if i % 10 == 0:
        print(i, loss.item())
