# expects: D204 likely line 13
"""Images with their channels last, into a convolution."""

import torch
from torch import nn

torch.manual_seed(23)
pictures = torch.rand(20, 12, 12, 3)
bright = (pictures.mean((1, 2, 3)) > 0.5).long()
model = nn.Sequential(nn.Conv2d(12, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(10):
    loss = nn.functional.cross_entropy(model(pictures), bright)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
