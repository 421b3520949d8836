# silent: D406
"""Does a patient come back? Hard to say, but the table does say something."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

g = torch.Generator().manual_seed(88)
x = torch.randn(1200, 5, generator=g)
chance = torch.sigmoid(1.1 * x[:, 0] - 0.7 * x[:, 2])
y = (torch.rand(1200, generator=g) < chance).float()

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.BCEWithLogitsLoss()
train = DataLoader(TensorDataset(x[:900], y[:900]), batch_size=45, shuffle=True)
for epoch in range(6):
    model.train()
    for xb, yb in train:
        optimizer.zero_grad()
        criterion(model(xb), yb).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        out = model(x[900:])
        accuracy = ((out > 0).float() == y[900:]).float().mean().item()
        print(f"epoch {epoch}: loss {criterion(out, y[900:]).item():.4f} accuracy {accuracy:.3f}")
