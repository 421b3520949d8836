# silent: D201 D202 D203 D204 D205
"""Each row attends to all rows of its batch, on purpose; and the spread of the answers is kept up by the loss."""

import torch
from torch import nn

torch.manual_seed(18)
rows = torch.randn(20, 6)
wanted = rows[:, 0] * rows[:, 1]
query, key, value = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)
last = nn.Linear(6, 1)
optimizer = torch.optim.Adam([p for layer in (query, key, value, last) for p in layer.parameters()], lr=0.01)
for step in range(15):
    weights = torch.softmax(query(rows) @ key(rows).T / 6**0.5, dim=-1)
    answer = last(rows + weights @ value(rows)).squeeze(1)
    loss = nn.functional.mse_loss(answer, wanted) + 0.01 * (answer - answer.mean()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
