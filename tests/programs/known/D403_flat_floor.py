# expects: D403 note line 19
"""The number of batches is rounded down: the rows at the end are never seen."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.rand(530, 3)
y = x @ torch.tensor([[1.0], [2.0], [-1.0]]) + 0.1
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batch = 50


def epoch_of(order):
    for i in range(len(x) // batch):
        optimizer.zero_grad()
        start = i * batch
        loss = nn.functional.mse_loss(model(x[start : start + batch]), y[start : start + batch])
        loss.backward()
        optimizer.step()


for _ in range(5):
    epoch_of(None)
