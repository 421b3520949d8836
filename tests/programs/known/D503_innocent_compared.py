# silent: D501 D502 D503 D504
"""Losses beside that of the epoch before and the mean of all epochs, each called so; an evaluation of more rows than a batch has."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(500, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
losses = []
for epoch in range(8):
    total = 0.0
    for rows in torch.randperm(400).split(40):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    losses.append(total / 10)
    with torch.no_grad():
        held_out = nn.functional.cross_entropy(net(x[400:]), y[400:]).item()
    print(f"epoch {epoch} train loss {losses[-1]:.4f} held-out loss {held_out:.4f}")
    if epoch:
        print(f"train loss went {losses[-2]:.5f} -> {losses[-1]:.5f}")
        print(f"previous loss {losses[-2]:.5f}, mean of all epochs {sum(losses) / len(losses):.5f}")
