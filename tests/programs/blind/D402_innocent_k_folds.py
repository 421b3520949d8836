# silent: D402
"""Five-fold cross-validation: a fresh model for every fold."""

import torch
from torch import nn


def data(n=300):
    g = torch.Generator().manual_seed(60)
    x = torch.randn(n, 4, generator=g)
    return x, x @ torch.tensor([1.0, -2.0, 0.5, 0.0]) + 0.3 * torch.randn(n, generator=g)


def fit(x, y, steps=60):
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    return model


torch.manual_seed(0)
x, y = data()
folds = torch.randperm(len(x)).chunk(5)
scores = []
for k in range(5):
    held = folds[k]
    rest = torch.cat([folds[j] for j in range(5) if j != k])
    model = fit(x[rest], y[rest]).eval()
    with torch.no_grad():
        scores.append(nn.functional.mse_loss(model(x[held]), y[held]).item())
    print(f"fold {k}: validation error {scores[-1]:.3f}")
print(f"mean {sum(scores) / 5:.3f}")
