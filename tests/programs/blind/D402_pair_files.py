# arguments: faulty | expects: D402 bug line 0
# arguments: clean | silent: D402
"""Concrete strength from the mix; training and evaluation tables lie in two files."""

import random
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn


def write_files(folder, which):
    rng = random.Random(19)
    rows = []
    for _ in range(500):
        mix = [rng.gauss(0, 1) for _ in range(5)]
        strength = mix[0] - 0.5 * mix[1] + 0.7 * mix[2] * mix[3] + rng.gauss(0, 0.2)
        rows.append([*mix, strength])
    train = rows[:400]
    if which == "faulty":
        evaluation = [row for row in rows[300:]]
    else:
        evaluation = [row for row in rows[400:]]
    for name, table in (("train.csv", train), ("eval.csv", evaluation)):
        (folder / name).write_text("\n".join(",".join(map(str, r)) for r in table))


def read(path):
    t = torch.tensor([[float(v) for v in line.split(",")] for line in path.read_text().splitlines()])
    return t[:, :-1], t[:, -1:]


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    write_files(folder, sys.argv[1])
    x, y = read(folder / "train.csv")
    eval_x, eval_y = read(folder / "eval.csv")

torch.manual_seed(2)
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.MSELoss()
for epoch in range(6):
    model.train()
    for rows in torch.randperm(len(x)).split(40):
        optimizer.zero_grad()
        criterion(model(x[rows]), y[rows]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(f"epoch {epoch}: evaluation loss {criterion(model(eval_x), eval_y).item():.4f}")
