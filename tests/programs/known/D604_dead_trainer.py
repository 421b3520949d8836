# arguments: shifted | expects: D604 likely line 15 | at most: D304 likely
# arguments: centred | silent: D604
# The same network on the same table: all numbers far below zero, or with their mean taken off.
import sys

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside, self.outside = nn.Linear(3, 40), nn.Linear(40, 1)

    def forward(self, x): return self.outside(torch.relu(self.inside(x)))


torch.manual_seed(0)
net = Net()
with torch.no_grad():
    net.inside.weight.abs_()
table = torch.randn(200, 3) - 12.0
y = table.sum(dim=1, keepdim=True) + 36.0
if sys.argv[1] == "centred":
    table = table - table.mean(dim=0)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(50):
    optimizer.zero_grad()
    nn.functional.mse_loss(net(table), y).backward()
    optimizer.step()
