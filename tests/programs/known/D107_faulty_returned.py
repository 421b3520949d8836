# expects: D107 bug line 15
# silent: D101, D102, D103, D104, D105, D106, D108
import torch


def gradient(loss, w):
    return torch.autograd.grad(loss, w)[0]


torch.manual_seed(12)
x = torch.randn(40, 3)
w = torch.zeros(3, requires_grad=True)
for epoch in range(20):
    loss = (x @ w - x.sum(1)).pow(2).mean()
    w = w - 0.1 * gradient(loss, w)
