# silent: D402
"""The training rows are gone through once more, and said to be the training rows."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
x = torch.randn(240, 3)
train_set = TensorDataset(x, (x[:, 0] > 0.2).long())
train_loader = DataLoader(train_set, batch_size=24, shuffle=True)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(4):
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
    with torch.no_grad():
        right = sum((model(a).argmax(1) == b).sum().item() for a, b in train_loader)
    print(f"epoch {epoch}: training accuracy {right / len(train_set):.3f}")
