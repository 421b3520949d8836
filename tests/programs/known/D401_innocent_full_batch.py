# silent: D401 D402 D403 D404 D406 D407
"""Every step sees every row: there is no order to speak of."""

import torch
from torch import nn

torch.manual_seed(1)
points = torch.cat([torch.randn(40, 2) - 1.5, torch.randn(40, 2) + 1.5])
labels = torch.cat([torch.zeros(40), torch.ones(40)])
net = nn.Sequential(nn.Linear(2, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
for _ in range(60):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(net(points).squeeze(1), labels)
    loss.backward()
    optimizer.step()
print(loss.item())
