# silent: D201 D202 D203 D204 D205
"""Two views of each example are to be alike: every example is compared with all others of its batch."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(17)
one = torch.randn(24, 8)
other = one + 0.1 * torch.randn(24, 8)
encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
labels = torch.arange(24)
for step in range(15):
    a, b = F.normalize(encoder(one), dim=1), F.normalize(encoder(other), dim=1)
    logits = a @ b.t() / 0.2
    loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
