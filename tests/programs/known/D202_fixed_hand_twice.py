# silent: D201 D202 D203 D204 D205
"""Two loops without autograd, one after the other; the second has two columns."""

import torch

torch.manual_seed(30)
heat, wind = torch.rand(48), torch.rand(48)
power = 3 * heat - 2 * wind + 0.02 * torch.randn(48)

slope = torch.zeros(1)
for step in range(90):
    error = slope * heat - power
    loss = (error**2).mean()
    slope = slope - 0.1 * (2 * error * heat).mean()

inputs = torch.stack([heat, wind]).T
weights = torch.zeros(2)
for step in range(120):
    error = inputs @ weights - power
    loss = (error**2).mean()
    weights = weights - 0.2 * 2 / 48 * (inputs.T @ error)
