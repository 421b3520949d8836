# expects: D801 note line 51
"""Recognise rings and crosses; the pictures are drawn pixel by pixel."""

import math
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def draw(i, size=28):
    r = random.Random(i)
    kind = r.randrange(2)
    cy, cx, radius = r.uniform(10, 18), r.uniform(10, 18), r.uniform(5, 9)
    rows = []
    for y in range(size):
        row = []
        for x in range(size):
            dy, dx = y - cy, x - cx
            if kind == 0:
                inside = abs(math.hypot(dy, dx) - radius) < 1.2
            else:
                inside = min(abs(dy), abs(dx)) < 1.2 and max(abs(dy), abs(dx)) < radius
            row.append(float(inside) + r.gauss(0, 0.2))
        rows.append(row)
    return torch.tensor([rows]), kind


class Pictures(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return draw(i)


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(576, 2),
        )
        self.loader = DataLoader(Pictures(128), batch_size=32, shuffle=True)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def fit(self, epochs):
        for epoch in range(epochs):
            total = 0.0
            for picture, kind in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(picture), kind)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(kind)
            print(f"epoch {epoch}: {total / 128:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer().fit(3)
