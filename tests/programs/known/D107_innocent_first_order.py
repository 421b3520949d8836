# silent: D102, D103, D104, D105, D106, D107, D108
# The inner step is made from .grad, and the parameter itself is trained by the optimizer.
import torch

torch.manual_seed(4)
w = torch.randn(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.05)
for task in range(12):
    x = torch.randn(10, 3)
    y = x @ torch.randn(3)
    optimizer.zero_grad()
    (x @ w - y).square().mean().backward()
    fast = w - 0.1 * w.grad.clone()
    optimizer.zero_grad()
    (x @ fast - y).square().mean().backward()
    optimizer.step()
