# silent: D404
"""A table with holes: they are filled with the column's median before anything is trained."""

import torch
from torch import nn

torch.manual_seed(44)
raw = torch.randn(400, 6) * torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
target = raw[:, 0] - 0.5 * raw[:, 1] + 0.2 * raw[:, 4]
raw[torch.rand(400, 6) < 0.08] = float("nan")

median = raw.nanmedian(dim=0).values
table = torch.where(raw.isnan(), median, raw)
table = (table - table.mean(0)) / table.std(0)

model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(5):
    losses = []
    for rows in torch.randperm(400).split(50):
        loss = nn.functional.mse_loss(model(table[rows]).squeeze(1), target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(epoch, sum(losses) / len(losses))
