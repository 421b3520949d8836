# silent: D401
"""Forecast the next hour of a load curve; the state runs along the series."""

import math

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        out, state = self.rnn(x, state)
        return self.head(out), state


torch.manual_seed(2)
hours = torch.arange(0, 1201, dtype=torch.float32)
load = torch.sin(hours * 2 * math.pi / 24) + 0.3 * torch.sin(hours * 2 * math.pi / 168) + 0.05 * torch.randn(1201)

model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
chunk = 48
for epoch in range(3):
    state = None
    for begin in range(0, 1200, chunk):
        x = load[begin : begin + chunk].view(1, -1, 1)
        y = load[begin + 1 : begin + chunk + 1].view(1, -1, 1)
        forecast, state = model(x, state)
        state = state.detach()
        loss = nn.functional.mse_loss(forecast, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"pass {epoch}: last chunk {loss.item():.4f}")
