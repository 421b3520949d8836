# silent: D101, D102, D103, D109, D110, D111
# Wound forward to the epoch where an earlier run ended.
import torch
from torch import nn

torch.manual_seed(16)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for _ in range(5):
    scheduler.step()
x = torch.randn(60, 3)
for epoch in range(5, 9):
    for xb in x.split(20):
        optimizer.zero_grad()
        (model(xb)[:, 0] - xb.sum(1)).abs().mean().backward()
        optimizer.step()
    scheduler.step()
