# arguments: faulty | expects: D304 likely line 31 | at most: D603 likely | at most: D604 likely
# arguments: clean | silent: D304
"""Energy use of a flat from its meter readings. The table is either as read or already standardised."""

import sys

import torch
from torch import nn


def readings(variant):
    g = torch.Generator().manual_seed(50)
    gas = 3000 + 900 * torch.randn(160, generator=g)
    power = 2200 + 400 * torch.randn(160, generator=g)
    people = torch.randint(1, 6, (160,), generator=g).float()
    cost = (0.002 * gas + 0.003 * power + 0.4 * people).unsqueeze(1)
    table = torch.stack([gas, power, people], dim=1)
    if variant == "clean":
        table = (table - table.mean(0)) / table.std(0)
    return table, cost


torch.manual_seed(50)
table, cost = readings(sys.argv[1])
net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
sgd = torch.optim.SGD(net.parameters(), lr=0.01)
huber = nn.HuberLoss()

for epoch in range(30):
    for rows in torch.randperm(160).split(40):
        scores = net(table[rows])
        loss = huber(scores, cost[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
with torch.no_grad():
    out = net(table)
print("predicted costs from", out.min().item(), "to", out.max().item())
