# arguments: copied
# expects: D405 likely line 28
# arguments: seeded
# silent: D405
"""A data set that invents its rows: with one generator that every worker gets a copy of, or one seeded in each."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Invented(Dataset):
    def __init__(self, own):
        self.generator = torch.Generator().manual_seed(0)
        self.own = own

    def __len__(self):
        return 320

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index) if self.own else self.generator
        x = torch.randn(6, generator=generator)
        return x, (x[0] > x[1]).long()


loader = DataLoader(Invented(sys.argv[1] == "seeded"), batch_size=20, num_workers=2)
net = nn.Linear(6, 2)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(2):
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
