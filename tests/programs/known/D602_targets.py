# arguments: raw | expects: D602 note line 23
# arguments: standardised | silent: D602
# arguments: begun | silent: D602
# Prices in the hundred thousands: a model that begins near 0 does not come to them.
import sys

import torch
from torch import nn

how = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(300, 6)
y = 200_000 + 50_000 * (x @ torch.randn(6, 1)) + 10_000 * torch.randn(300, 1)
if how == "standardised":
    y = (y - y.mean()) / y.std()
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
if how == "begun":
    with torch.no_grad():
        model[2].bias.fill_(y.mean().item())
adam = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(12):
    for rows in torch.randperm(300).split(30):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
