# expects: D604 likely line 0 | at most: D304 likely
"""Handwriting-like vectors in three classes."""

import torch
from torch import nn, optim

torch.manual_seed(24)
centres = torch.randn(3, 10)
y = torch.randint(0, 3, (450,))
x = centres[y] + 0.7 * torch.randn(450, 10)

first, second = nn.Linear(10, 40), nn.Linear(40, 3)
with torch.no_grad():
    first.bias.fill_(-6.0)  # sparse activations
model = nn.Sequential(first, nn.ReLU(), second)
optimizer = optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    running = 0.0
    for rows in torch.randperm(450).split(45):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() / 10
    print(f"{epoch} {running:.4f}")
