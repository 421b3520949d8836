# silent: D101
"""Classify blobs with an effective batch of 64 made from four micro-batches of 16."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    micro_batch: int = 16
    accumulate: int = 4
    lr: float = 0.1
    epochs: int = 4


def blobs(n=256):
    g = torch.Generator().manual_seed(11)
    label = torch.randint(0, 3, (n,), generator=g)
    centres = torch.tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    return TensorDataset(centres[label] + 0.6 * torch.randn(n, 2, generator=g), label)


def main(cfg):
    torch.manual_seed(0)
    loader = DataLoader(blobs(), batch_size=cfg.micro_batch, shuffle=True)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr)
    optimizer.zero_grad()
    for epoch in range(cfg.epochs):
        for i, (x, y) in enumerate(loader):
            loss = nn.functional.cross_entropy(model(x), y) / cfg.accumulate
            loss.backward()
            if (i + 1) % cfg.accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(epoch, loss.item() * cfg.accumulate)


main(Config())
