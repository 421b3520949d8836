# arguments: holes
# expects: D404 bug line 0
# arguments: units
# expects: D404 likely line 0
# arguments: clean
# silent: D404 D407 D402 D406
"""One script, three tables: with missing values, with a column in other units in the rows to examine on, and as it should be."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(400, 4) * torch.tensor([1.0, 2.0, 0.5, 1.0]) + torch.tensor([0.0, 1.0, 3.0, 0.0])
y = x @ torch.tensor([0.5, -0.3, 1.0, 0.2]) + 0.1 * torch.randn(400)
if sys.argv[1] == "holes":
    x[[17, 230], 2] = float("nan")
x_val, y_val = x[320:].clone(), y[320:]
if sys.argv[1] == "units":
    x_val[:, 2] *= 100
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(10):
    net.train()
    for xb, yb in DataLoader(TensorDataset(x[:320], y[:320]), 32, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(xb)[:, 0], yb)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        error = nn.functional.mse_loss(net(x_val)[:, 0], y_val)
    print(epoch, loss.item(), error.item())
