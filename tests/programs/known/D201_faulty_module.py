# expects: D201 bug line 26
"""Rent by size of a flat: a module with one output and targets in one dimension."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x):
        return self.layers(x)


torch.manual_seed(1)
features = torch.rand(120, 3)
rent = 5 * features[:, 0] + features[:, 1] ** 2 + 0.1 * torch.randn(120)
loader = DataLoader(TensorDataset(features, rent), batch_size=30, shuffle=True)
model = Rent()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    for x, y in loader:
        error = model(x) - y
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
