# arguments: faulty | expects: D401 likely line 40
# arguments: clean | at most: D401 note
"""Classify iris-like flowers from a table on disk."""

import csv
import os
import random
import sys
import tempfile

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def export_table(path, kind):
    rng = random.Random(5)
    means = [(5.0, 3.4, 1.5, 0.2), (5.9, 2.8, 4.3, 1.3), (6.6, 3.0, 5.5, 2.0)]
    rows = [[round(rng.gauss(m, 0.35), 2) for m in means[s]] + [s] for s in range(3) for _ in range(100)]
    if kind == "clean":
        rng.shuffle(rows)
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows(rows)


def read_table(path):
    with open(path, newline="") as f:
        rows = [[float(v) for v in row] for row in csv.reader(f)]
    table = torch.tensor(rows)
    x, y = table[:, :4], table[:, 4].long()
    return (x - x.mean(0)) / x.std(0), y


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "flowers.csv")
    export_table(path, sys.argv[1])
    x, y = read_table(path)

torch.manual_seed(1)
batches = DataLoader(TensorDataset(x, y), batch_size=20)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(8):
    for xb, yb in batches:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch, f"loss on all training rows {loss_fn(model(x), y).item():.3f}")
