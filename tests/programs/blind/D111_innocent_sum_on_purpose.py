# at most: D111 note
"""The objective is a sum over all rows (reduction="sum"), fed in four pieces; the rate is chosen for the sum."""

import torch
from torch import nn

torch.manual_seed(31)
x = torch.randn(200, 5)
y = x @ torch.randn(5, 2)
model = nn.Linear(5, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1 / 200)

for epoch in range(30):
    optimizer.zero_grad()
    total = 0.0
    for piece in torch.arange(200).chunk(4):
        loss = nn.functional.mse_loss(model(x[piece]), y[piece], reduction="sum")
        loss.backward()
        total += loss.item()
    optimizer.step()
    if epoch % 10 == 0:
        print(epoch, total)
