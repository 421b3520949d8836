# silent: D201
import torch

torch.manual_seed(0)
area = torch.rand(50, 1) * 2
price = 1.2 * area[:, 0] + 0.3 + 0.05 * torch.randn(50)

w = torch.randn(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(100):
    predicted = (area @ w + b).squeeze(1)
    loss = ((predicted - price) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.1 * p.grad
            p.grad.zero_()
    if epoch % 25 == 0:
        print(epoch, loss.item())
print(w.item(), b.item())
