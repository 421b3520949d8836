# silent: D304
# house prices (in 100 000) from area, rooms and age
import torch

torch.manual_seed(23)
area = 50 + 150 * torch.rand(120)
rooms = torch.randint(1, 7, (120,)).float()
age = 80 * torch.rand(120)
price = 0.02 * area + 0.15 * rooms - 0.005 * age + 0.1 * torch.randn(120)

X = torch.stack([area, rooms, age], 1)
X = (X - X.mean(0)) / X.std(0)

w = (0.1 * torch.randn(3)).requires_grad_()
b = torch.tensor(2.0, requires_grad=True)

for step in range(60):
    pred = torch.relu(X @ w + b)  # a price is never below zero
    loss = ((pred - price) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.05 * w.grad
        b -= 0.05 * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if step % 20 == 0:
        print(step, loss.item())
