# expects: D102 bug line 15
# silent: D101, D103, D104, D105, D106, D107, D108, D110
import torch

torch.manual_seed(0)
x = torch.randn(30, 2)
y = x[:, :1] * 3
w = torch.randn(2, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1
for epoch in range(10):
    loss = (x @ w + b - y).pow(2).mean()
    loss.backward()
    for p in (w, b):
        p.grad.zero_()
    w.data -= lr * w.grad
    b.data -= lr * b.grad
