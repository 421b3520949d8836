# silent: D201 D202 D203 D204 D205
"""Images with their channels last, into a convolution."""

import torch
from torch import nn

torch.manual_seed(23)
pictures = torch.rand(20, 12, 12, 3).permute(0, 3, 1, 2)
bright = (pictures.mean((1, 2, 3)) > 0.5).long()
model = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(10):
    loss = nn.functional.cross_entropy(model(pictures), bright)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
