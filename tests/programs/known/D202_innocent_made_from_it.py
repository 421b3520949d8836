# silent: D201 D202 D203 D204 D205
"""A trial of a layer: the targets are computed from the very rows that a view has made."""

import torch
from torch import nn

torch.manual_seed(13)
x = torch.randn(4, 48).view(48, 4)
y = (x[:, 0] * x[:, 1]).tanh()
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(30):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
