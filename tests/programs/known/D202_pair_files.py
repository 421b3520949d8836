# arguments: columns | expects: D202 bug line 18
# arguments: rows | silent: D201 D202 D203 D204 D205
"""One script for two files: one keeps an example in each row, the other in each column."""

import sys

import torch
from torch import nn

torch.manual_seed(10)
examples = torch.randn(70, 5)
price = examples @ torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0]) + 0.2 * torch.randn(70)
stored = examples if sys.argv[1] == "rows" else examples.T.contiguous()

model = nn.Linear(5, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loss_of = nn.MSELoss()
x = stored.reshape(-1, 5)
for epoch in range(10):
    for start in range(0, 70, 14):
        loss = loss_of(model(x[start : start + 14]).squeeze(1), price[start : start + 14])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
