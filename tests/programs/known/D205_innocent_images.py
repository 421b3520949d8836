# silent: D201 D202 D203 D204 D205
"""Channels of images, of signals, and of embeddings that were turned for it: dropout of whole channels is what is meant."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.images = nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4), nn.ReLU(), nn.Dropout2d(0.2), nn.Flatten())
        self.signals = nn.Sequential(nn.Conv1d(1, 4, 3), nn.InstanceNorm1d(4), nn.ReLU(), nn.Dropout1d(0.2), nn.Flatten())
        self.embed = nn.Embedding(9, 6)
        self.drop = nn.Dropout2d(0.2)
        self.out = nn.LazyLinear(2)

    def forward(self, images, signals, tokens):
        words = self.drop(self.embed(tokens).permute(0, 2, 1)).permute(0, 2, 1)
        return self.out(torch.cat([self.images(images), self.signals(signals), words.mean(1)], 1))


torch.manual_seed(29)
images, signals, tokens = torch.rand(18, 1, 6, 6), torch.rand(18, 1, 8), torch.randint(0, 9, (18, 5))
labels = torch.randint(0, 2, (18,))
model = Net()
model(images, signals, tokens)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(10):
    loss = nn.functional.cross_entropy(model(images, signals, tokens), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
