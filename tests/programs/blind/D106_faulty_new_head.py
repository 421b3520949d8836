# expects: D106 bug line 9
"""Swap the head of a network for a problem with fewer classes."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net[2] = nn.Linear(16, 3)

x = torch.randn(150, 6)
y = x[:, :3].argmax(dim=1)
for epoch in range(6):
    for pick in torch.randperm(150).split(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
