# arguments: apart
# expects: D406 likely line 0
# arguments: together
# silent: D406
# arguments: noisy
# silent: D406
"""One script, three files of labels: shuffled without their rows, as they belong, and three in ten of them wrong."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
rows = torch.randn(500, 4)
labels = (rows[:, 0] + rows[:, 1] > 0).long()
if sys.argv[1] == "apart":
    labels = labels[torch.randperm(500)]
elif sys.argv[1] == "noisy":
    wrong = torch.rand(500) < 0.3
    labels = torch.where(wrong, 1 - labels, labels)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def epoch():
    for at in torch.randperm(500).split(50):
        loss = nn.functional.cross_entropy(net(rows[at]), labels[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


print([epoch() for _ in range(12)])
