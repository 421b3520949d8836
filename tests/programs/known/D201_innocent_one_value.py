# silent: D201 D202 D203 D204 D205
"""One number against many, and one row against a list of as many: nothing gets more elements than it had."""

import torch
from torch import nn

torch.manual_seed(4)
signal = 2 + 0.3 * torch.randn(20)
level = torch.zeros(1, requires_grad=True)
layer = nn.Linear(4, 20)
given = torch.ones(1, 4)
optimizer = torch.optim.SGD([level, *layer.parameters()], lr=0.02)
for step in range(25):
    loss = (level - signal).square().mean() + (layer(given) - signal).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
