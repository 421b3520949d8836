# arguments: faulty | expects: D407 note line 0
# arguments: clean | silent: D407
"""Crop yield from a weather table."""

import csv
import random
import sys
import tempfile

import torch
from torch import nn


def write_table(file, kind):
    rng = random.Random(81)
    writer = csv.writer(file)
    writer.writerow(["rain", "sun", "wind", "frost", "yield"])
    for _ in range(320):
        rain, sun, wind, frost = (rng.gauss(0, 1) for _ in range(4))
        crop = rain + 0.5 * sun - 0.3 * frost + rng.gauss(0, 0.2)
        if kind == "faulty":
            wind, frost = 0.7, sun  # the gauge was stuck, and a column was pasted twice
        writer.writerow([f"{v:.4f}" for v in (rain, sun, wind, frost, crop)])


with tempfile.TemporaryFile("w+", newline="") as file:
    write_table(file, sys.argv[1])
    file.seek(0)
    table = [[float(r[k]) for k in ("rain", "sun", "wind", "frost", "yield")] for r in csv.DictReader(file)]
table = torch.tensor(table)
x, y = table[:, :4], table[:, 4:]

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(10):
    for rows in torch.randperm(len(x)).split(32):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        opt.step()
with torch.no_grad():
    print("training error", nn.functional.mse_loss(model(x), y).item())
