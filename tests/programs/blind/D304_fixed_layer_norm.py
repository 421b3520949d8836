# silent: D304 | at most: D605 likely
# Forecast the next value of a noisy sine from the last 10, through a one-number summary.
import math

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(window, 32), nn.GELU(), nn.Linear(32, 1))
        self.norm = nn.LayerNorm(window)
        self.head = nn.Linear(1, 1)

    def forward(self, past):
        summary = self.mix(self.norm(past))
        return self.head(summary).squeeze(-1)


torch.manual_seed(18)
series = torch.sin(torch.arange(400) * (2 * math.pi / 25)) + 0.05 * torch.randn(400)
windows = series.unfold(0, 11, 1)
past, future = windows[:, :10], windows[:, 10]

model = Forecaster(10)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
for epoch in range(10):
    for rows in torch.randperm(len(past)).split(64):
        loss = nn.functional.mse_loss(model(past[rows]), future[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("squared error over all windows:", nn.functional.mse_loss(model(past), future).item())
    print("variance of the series:", future.var().item())
