# silent: D407
"""Classify short melodies: pitches, padded with zeros to sixteen notes, none is longer than twelve."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def melodies(n):
    g = torch.Generator().manual_seed(73)
    x = torch.zeros(n, 16)
    y = torch.randint(0, 2, (n,), generator=g)
    for i in range(n):
        notes = int(torch.randint(6, 13, (1,), generator=g))
        steps = torch.randn(notes, generator=g) + (0.5 if y[i] else -0.5)
        x[i, :notes] = steps.cumsum(0) / 4
    return TensorDataset(x, y)


def main():
    torch.manual_seed(0)
    loader = DataLoader(melodies(480), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(5):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        print(f"{epoch} {total / 480:.4f}")


if __name__ == "__main__":
    main()
