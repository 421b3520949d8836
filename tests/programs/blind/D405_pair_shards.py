# arguments: faulty | expects: D405 likely line 42
# arguments: clean | silent: D405
"""Two workers, each reads its own shard file from disk."""

import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


def write_shards(folder, kind):
    for k in range(2):
        rng = random.Random(7 if kind == "faulty" else 7 + k)
        lines = []
        for _ in range(200):
            a, b, c = (rng.uniform(-1, 1) for _ in range(3))
            lines.append(f"{a} {b} {c} {a * b - c}")
        (folder / f"shard{k}.txt").write_text("\n".join(lines))


class Shards(IterableDataset):
    def __init__(self, folder):
        self.files = sorted(folder.glob("shard*.txt"))

    def __iter__(self):
        me = get_worker_info().id
        for line in self.files[me].read_text().splitlines():
            numbers = torch.tensor([float(v) for v in line.split()])
            yield numbers[:3], numbers[3:]


def main():
    folder = Path(tempfile.mkdtemp())
    write_shards(folder, sys.argv[1])
    torch.manual_seed(0)
    torch.set_num_threads(1)
    loader = DataLoader(Shards(folder), batch_size=20, num_workers=2)
    model = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        losses = []
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(epoch, sum(losses) / len(losses))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
