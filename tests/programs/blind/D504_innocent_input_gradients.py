# silent: D504
"""Accuracy on attacked test rows: the attack needs the gradient with respect to the input, so a graph is built on purpose."""

import torch
from torch import nn
import torch.nn.functional as F


def train(net, x, y):
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(10):
        for rows in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            opt.step()


def attacked_accuracy(net, x, y, size):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(net(x), y), x)
    with torch.no_grad():
        return (net(x + size * gradient.sign()).argmax(1) == y).float().mean().item()


torch.manual_seed(142)
x = torch.randn(260, 6)
y = (x @ torch.randn(6, 3)).argmax(1)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
train(net, x[:200], y[:200])
for size in (0.0, 0.1, 0.3):
    print(f"attack of size {size}: test accuracy {attacked_accuracy(net, x[200:], y[200:], size):.3f}")
