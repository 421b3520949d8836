# expects: D101 bug line 16
# line fit, everything by hand
import torch

torch.manual_seed(1)
x = torch.linspace(-1, 1, 80).unsqueeze(1)
y = 1.7 * x - 0.4 + 0.05 * torch.randn(80, 1)

w = torch.zeros(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.05

for i in range(40):
    err = x @ w + b - y
    mse = err.pow(2).mean()
    mse.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    if i % 10 == 0:
        print(i, mse.item())

print("w", w.item(), "b", b.item())
