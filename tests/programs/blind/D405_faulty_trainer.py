# expects: D405 likely line 26
"""Train on a stream of readings, read by two worker processes."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Readings(IterableDataset):
    def __init__(self, count=320):
        self.count = count

    def __iter__(self):
        g = torch.Generator().manual_seed(12)
        for _ in range(self.count):
            x = torch.randn(4, generator=g)
            yield x, torch.sin(x[0] * math.pi / 2) + 0.5 * x[1]


class Runner:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters(), lr=0.01)
        self.loader = DataLoader(Readings(), batch_size=20, num_workers=2)

    def run(self, epochs):
        for epoch in range(epochs):
            total, rows = 0.0, 0
            for x, y in self.loader:
                loss = nn.functional.mse_loss(self.model(x).squeeze(1), y)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(x)
                rows += len(x)
            print(f"epoch {epoch}: {rows} rows, loss {total / rows:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    Runner(nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))).run(3)
