# arguments: 129
# expects: D407 note line 26
# arguments: 128
# silent: D407
"""A batch norm, and a last batch of one row when the rows are one too many."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4 * 16, 3)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


torch.manual_seed(0)
images = torch.randn(int(sys.argv[1]), 1, 6, 6)
loader = DataLoader(TensorDataset(images, images.sum((1, 2, 3)).sign().long() + 1), batch_size=32, shuffle=True)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(4):
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
