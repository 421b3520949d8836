# arguments: species | expects: D306 likely line 21
# arguments: weight | silent: D306
# arguments: visits | silent: D306
# One regression for three columns of a table: the name of a species as a number, a weight, a count of visits.
import sys

import torch
from torch import nn

torch.manual_seed(0)
species = torch.randint(0, 5, (300,))
x = torch.randn(5, 6)[species] * 2 + torch.randn(300, 6)
weight = x @ torch.randn(6)
visits = torch.poisson((0.4 * x[:, 0]).exp())
y = {"species": species.float(), "weight": weight, "visits": visits}[sys.argv[1]]
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for rows in torch.randperm(300).split(50):
        adam.zero_grad()
        loss = ((net(x[rows]).squeeze(1) - y[rows]) ** 2).mean()
        loss.backward()
        adam.step()
    print(loss.item())
