# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch.func import grad

torch.manual_seed(5)
x = torch.randn(20, 2)
y = x.sum(1)


def loss_of(w):
    return ((x @ w - y) ** 2).mean()


w = torch.zeros(2)
for i in range(20):
    w = w - 0.1 * grad(loss_of)(w)
