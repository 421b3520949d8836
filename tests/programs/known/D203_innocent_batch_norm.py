# silent: D201 D202 D203 D204 D205
"""Batch norm: the layer, and written out with mean and variance."""

import torch
from torch import nn


class Own(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        mean = x.mean(0)
        variance = x.var(0, unbiased=False)
        return self.scale * (x - mean) / torch.sqrt(variance + 1e-5) + self.shift


torch.manual_seed(16)
x = torch.randn(32, 6)
x = (x - x.mean(0)) / x.std(0)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(6, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 8), Own(8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
