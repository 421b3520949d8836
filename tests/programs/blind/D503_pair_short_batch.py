# arguments: faulty | expects: D503 note line 45
# arguments: clean | silent: D503
"""Predict the power of a wind turbine. The log file holds 201 or 200 hours."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def hours(variant):
    g = torch.Generator().manual_seed(137)
    n = 201 if variant == "faulty" else 200
    wind = 12 * torch.rand(n, 1, generator=g)
    direction = 2 * torch.pi * torch.rand(n, 1, generator=g)
    power = (wind / 12) ** 3 + 0.1 * direction.cos() + 0.05 * torch.randn(n, 1, generator=g)
    if n == 201:
        power[-1] = 2.5  # a gust in the last hour
    return TensorDataset(torch.cat([wind / 6 - 1, direction.cos(), direction.sin()], dim=1), power)


class Turbine(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(3, 16)
        self.two = nn.Linear(16, 1)

    def forward(self, hour):
        return self.two(torch.relu(self.one(hour)))


torch.manual_seed(137)
loader = DataLoader(hours(sys.argv[1]), batch_size=40, shuffle=True)
turbine = Turbine()
optimizer = torch.optim.Adam(turbine.parameters(), lr=0.01)
for epoch in range(8):
    summed = 0.0
    for hour, power in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(turbine(hour), power)
        loss.backward()
        optimizer.step()
        summed += loss.item()
    print(f"epoch {epoch}: mean training loss {summed / len(loader):.6f}")
