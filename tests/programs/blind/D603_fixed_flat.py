# silent: D603
# house prices (in thousands) from area, rooms and year of building
import torch

g = torch.Generator().manual_seed(61)
n = 300
area = 60 + 140 * torch.rand(n, generator=g)
rooms = (area / 30 + torch.randn(n, generator=g)).round().clamp(1, 8)
year = 1920 + 100 * torch.rand(n, generator=g)
price = 2.5 * area + 20 * rooms + 1.2 * (year - 1920) + 15 * torch.randn(n, generator=g)

X = torch.stack([area, rooms, year], dim=1)
X = (X - X.mean(0)) / X.std(0)
y = price
w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 1e-1
for step in range(300):
    loss = ((X @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if step % 100 == 99:
        print(step + 1, loss.item())
