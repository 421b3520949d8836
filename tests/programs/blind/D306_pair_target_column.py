# arguments: faulty | expects: D306 likely line 29
# arguments: clean | silent: D306
# Fit the last column of a leaf table: the species' number, or the leaf's area in cm^2.
import sys

import torch
from torch import nn, optim


def leaf_table(variant):
    g = torch.Generator().manual_seed(29)
    species = torch.randint(0, 3, (180,), generator=g)
    length = torch.tensor([3.0, 9.0, 5.0])[species] + torch.randn(180, generator=g)
    width = torch.tensor([2.0, 1.0, 4.0])[species] + 0.4 * torch.randn(180, generator=g)
    target = species.float() if variant == "faulty" else 0.7 * length * width
    return torch.stack([length, width, target], dim=1)


torch.manual_seed(29)
table = leaf_table(sys.argv[1])
leaves = (table[:, :2] - table[:, :2].mean(0)) / table[:, :2].std(0)
wanted = table[:, 2:]

net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 1))
mse = nn.MSELoss()
opt = optim.Adam(net.parameters(), lr=0.02)
for epoch in range(25):
    for part in torch.randperm(180).split(45):
        loss = mse(net(leaves[part]), wanted[part])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    print("error over the whole table:", mse(net(leaves), wanted).item())
