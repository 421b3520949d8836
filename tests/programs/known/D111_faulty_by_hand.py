# expects: D111 likely line 10
# silent: D101, D102, D103, D109, D110
import torch

torch.manual_seed(17)
w = torch.zeros(3, requires_grad=True)
for update in range(10):
    for piece in range(3):
        x = torch.randn(10, 3)
        ((x @ w - x.sum(1)) ** 2).mean().backward()
    w.data -= 0.05 * w.grad
    w.grad.zero_()
