# silent: D103
"""No optimizer object at all: plain gradient descent with momentum, written out."""

import torch
from torch import nn

torch.manual_seed(6)
x = torch.randn(150, 3)
y = torch.stack([x[:, 0] - x[:, 1], x[:, 2]], dim=1)
net = nn.Sequential(nn.Linear(3, 10), nn.Tanh(), nn.Linear(10, 2))
velocity = [torch.zeros_like(p) for p in net.parameters()]

for epoch in range(25):
    net.zero_grad()
    loss = (net(x) - y).square().mean()
    loss.backward()
    with torch.no_grad():
        for p, v in zip(net.parameters(), velocity):
            v.mul_(0.9).add_(p.grad)
            p.add_(v, alpha=-0.05)
print(loss.item())
