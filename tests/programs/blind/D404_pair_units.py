# arguments: faulty | expects: D404 likely line 0
# arguments: clean | silent: D404
"""Weight from body measures; the evaluation file comes from another clinic."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Clinic:
    def __init__(self, path):
        content = json.loads(path.read_text())
        self.x = torch.tensor(content["measures"], dtype=torch.float32)
        self.y = torch.tensor(content["weight"], dtype=torch.float32)[:, None]


def write(path, rows, seed, factor):
    rng = np.random.default_rng(seed)
    measures = rng.normal([1.7, 0.9, 1.0], [0.1, 0.1, 0.08], size=(rows, 3))
    weight = 50 * measures[:, 0] + 40 * measures[:, 1] - 45 + rng.normal(0, 3, rows)
    path.write_text(json.dumps({"measures": (factor * measures).tolist(), "weight": weight.tolist()}))


def main(kind):
    with tempfile.TemporaryDirectory() as d:
        write(Path(d) / "a.json", 300, 1, 1)
        write(Path(d) / "b.json", 100, 2, 100 if kind == "faulty" else 1)
        here, there = Clinic(Path(d) / "a.json"), Clinic(Path(d) / "b.json")
    mean, std = here.x.mean(0), here.x.std(0)
    target_mean, target_std = here.y.mean(), here.y.std()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(8):
        model.train()
        for rows in torch.randperm(len(here.x)).split(50):
            out = model((here.x[rows] - mean) / std)
            loss = nn.functional.mse_loss(out, (here.y[rows] - target_mean) / target_std)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            out = model((there.x - mean) / std)
            eval_loss = nn.functional.mse_loss(out, (there.y - target_mean) / target_std)
        print(f"{epoch}: evaluation {eval_loss.item():.3f}")


main(sys.argv[1])
