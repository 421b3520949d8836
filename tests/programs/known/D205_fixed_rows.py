# silent: D201 D202 D203 D204 D205
"""Rows of a table through a dropout that drops whole examples."""

import torch
from torch.nn import functional as F

torch.manual_seed(28)
table = torch.randn(50, 6)
wanted = table[:, :2].sum(1)
first = torch.randn(6, 10, requires_grad=True)
second = torch.randn(10, requires_grad=True)
optimizer = torch.optim.SGD([first, second], lr=0.01)
for step in range(20):
    h = F.relu(table @ first)
    h = F.dropout(h, p=0.2, training=True)
    loss = (h @ second - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
