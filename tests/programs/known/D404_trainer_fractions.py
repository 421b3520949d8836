# silent: D404 D407
"""A class of a data set that divides and gives fractions."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, count):
        generator = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(0, 255, (count, 8, 8), generator=generator, dtype=torch.uint8)
        self.labels = (self.pixels.float().mean((1, 2)) > 127).long()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.pixels[index] / 255, self.labels[index]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.hidden(x.flatten(1)).relu())


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(3):
    for pictures, labels in DataLoader(Pictures(200), batch_size=20, shuffle=True):
        loss = nn.functional.cross_entropy(net(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(loss.item())
