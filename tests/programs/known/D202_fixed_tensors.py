# silent: D201 D202 D203 D204 D205
"""Yield from rain, sun and dung: each measurement came as one list."""

import torch

torch.manual_seed(2)
rain, sun, dung = torch.rand(40) * 9, torch.rand(40) * 12, torch.rand(40) * 3
harvest = 2.0 * rain + 1.5 * sun - 0.5 * dung + 0.3 * torch.randn(40)
table = torch.stack([rain, sun, dung])
x = table.t()
x = (x - x.mean()) / x.std()
weights = torch.zeros(3, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
for step in range(60):
    loss = ((x @ weights + bias - harvest) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        weights -= 0.05 * weights.grad
        bias -= 0.05 * bias.grad
        weights.grad.zero_()
        bias.grad.zero_()
