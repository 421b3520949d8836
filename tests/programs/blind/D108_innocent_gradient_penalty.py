# silent: D108
"""Regression whose slope is kept small: the gradient with respect to the input is part of the loss."""

import torch
from torch import nn

torch.manual_seed(4)
x = (torch.rand(100, 2) * 4 - 2).requires_grad_()
y = (x.detach() ** 2).sum(1, keepdim=True)
net = nn.Sequential(nn.Linear(2, 24), nn.Softplus(), nn.Linear(24, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)

for step in range(40):
    opt.zero_grad()
    out = net(x)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    penalty = slope.square().sum(dim=1).mean()
    loss = nn.functional.mse_loss(out, y) + 0.1 * penalty
    loss.backward()
    opt.step()
    if step % 10 == 0:
        print(step, loss.item(), penalty.item())
