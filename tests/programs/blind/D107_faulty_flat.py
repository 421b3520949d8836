# expects: D107 bug line 13
import torch

torch.manual_seed(6)
x = torch.randn(100, 2)
y = x @ torch.tensor([1.5, -0.5]) + 0.3

w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(60):
    loss = ((x @ w + b - y) ** 2).mean()
    dw, db = torch.autograd.grad(loss, [w, b])
    w = w - 0.1 * dw
    b = b - 0.1 * db
    if step % 15 == 0:
        print(step, loss.item())
print(w.tolist(), b.item())
