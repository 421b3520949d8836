# expects: D407 note line 0
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def collect(pages=6, per_page=40):
    """Reads the offers page by page."""
    rows = []
    for page in range(pages):
        r = random.Random(page // 2)
        for _ in range(per_page):
            a, b, c = r.gauss(0, 1), r.gauss(0, 1), r.gauss(0, 1)
            rows.append([a, b, c, a - 0.5 * b * c + r.gauss(0, 0.1)])
    return torch.tensor(rows)


def train(table, epochs=10):
    model = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(TensorDataset(table[:, :3], table[:, 3:]), batch_size=24, shuffle=True)
    for epoch in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            opt.step()
    with torch.no_grad():
        return nn.functional.mse_loss(model(table[:, :3]), table[:, 3:]).item()


torch.manual_seed(3)
print("training error:", train(collect()))
