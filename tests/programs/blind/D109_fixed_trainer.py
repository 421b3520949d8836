# silent: D109
"""Distinguish three kinds of noise."""

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


def noises(per_kind=100, length=16):
    g = torch.Generator().manual_seed(1)
    white = torch.randn(per_kind, length, generator=g)
    walk = torch.randn(per_kind, length, generator=g).cumsum(1) / 2
    flip = torch.randn(per_kind, length, generator=g).abs() * torch.tensor([1.0, -1.0]).repeat(length // 2)
    return TensorDataset(torch.cat([white, walk, flip]), torch.arange(3).repeat_interleave(per_kind))


class Trainer:
    def __init__(self, epochs=12):
        self.epochs = epochs
        self.model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        # a tenth of the rate after every 5 epochs
        self.scheduler = StepLR(self.optimizer, step_size=5, gamma=0.1)

    def fit(self, loader):
        for epoch in range(self.epochs):
            for x, kind in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), kind)
                loss.backward()
                self.optimizer.step()
            self.scheduler.step()
            print(epoch, f"{loss.item():.3f}", self.scheduler.get_last_lr())


torch.manual_seed(0)
Trainer().fit(DataLoader(noises(), batch_size=30, shuffle=True))
