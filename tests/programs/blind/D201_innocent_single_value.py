# silent: D201
"""Online learning: one reading at a time."""

import torch
from torch import nn

torch.manual_seed(2)
readings = torch.randn(120, 3)
truth = readings.sum(dim=1)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
total = 0.0
for i, (reading, value) in enumerate(zip(readings, truth)):
    guess = model(reading)  # shape (1,), value has shape ()
    loss = ((guess - value) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    total += loss.item()
    if i % 40 == 39:
        print(i, total / 40)
        total = 0.0
