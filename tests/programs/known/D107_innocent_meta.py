# silent: D101, D102, D103, D104, D105, D106, D107, D108
# One inner step with create_graph: the outer gradient is meant to flow through it.
import torch

torch.manual_seed(3)
w = torch.randn(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.05)
for task in range(12):
    x = torch.randn(10, 3)
    y = x @ torch.randn(3)
    inner = (x @ w - y).square().mean()
    (g,) = torch.autograd.grad(inner, w, create_graph=True)
    fast = w - 0.1 * g
    outer = (x @ fast - y).square().mean()
    optimizer.zero_grad()
    outer.backward()
    optimizer.step()
