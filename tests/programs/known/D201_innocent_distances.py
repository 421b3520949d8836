# silent: D201 D202 D203 D204 D205
"""Positions from distances: all pairs of points are compared on purpose."""

import torch

torch.manual_seed(3)
true = torch.rand(12) * 10
wanted = (true[:, None] - true[None, :]).abs()
place = torch.rand(12, requires_grad=True)
optimizer = torch.optim.SGD([place], lr=0.05)
for step in range(30):
    distance = (place[:, None] - place[None, :]).abs()
    loss = (distance - wanted).square().mean() + 0.01 * (place.unsqueeze(1) - true.unsqueeze(0)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
