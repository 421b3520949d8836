# silent: D407
"""Delivery time from city (one-hot, some are rare) and distance."""

import torch
from torch import nn

torch.manual_seed(64)
cities = 30
city = torch.multinomial(torch.tensor([1.0 / (k + 1) for k in range(cities)]), 500, replacement=True)
distance = torch.randn(500, 1)
minutes = 0.3 * torch.randn(cities)[city][:, None] + 0.8 * distance + 0.1 * torch.randn(500, 1)
x = torch.cat([nn.functional.one_hot(city, cities).float(), distance], dim=1)

model = nn.Linear(cities + 1, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(500).split(50):
        loss = nn.functional.mse_loss(model(x[rows]), minutes[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 10
    print(epoch, round(total, 4))
