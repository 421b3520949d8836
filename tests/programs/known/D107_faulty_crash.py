# expects: D107 bug line 13
# silent: D101, D102, D103, D104, D105, D106, D108
# exits: 1
import torch

torch.manual_seed(0)
x = torch.randn(20, 3)
y = x @ torch.tensor([1.0, 2.0, 3.0])
w = torch.zeros(3, requires_grad=True)
for i in range(10):
    loss = (x @ w - y).square().mean()
    loss.backward()
    w = w - 0.1 * w.grad
