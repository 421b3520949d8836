# silent: D602
"""Recognise the waveform: sine, square or saw."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Waves(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        phase = torch.rand(n, 1, generator=g)
        t = (torch.linspace(0, 2, 40) + phase) % 1
        kinds = torch.stack([torch.sin(2 * math.pi * t), torch.where(t < 0.5, 1.0, -1.0), 2 * t - 1], dim=1)
        self.y = torch.randint(0, 3, (n,), generator=g)
        self.x = kinds[torch.arange(n), self.y] + 0.1 * torch.randn(n, 40, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class WaveTrainer:
    def __init__(self, lr):
        self.train_loader = DataLoader(Waves(480, 1), batch_size=48, shuffle=True)
        self.val_loader = DataLoader(Waves(90, 2), batch_size=90)
        self.net = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 3))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.loss = nn.CrossEntropyLoss()

    def epoch(self):
        self.net.train()
        for x, y in self.train_loader:
            self.opt.zero_grad()
            self.loss(self.net(x), y).backward()
            self.opt.step()
        self.net.eval()
        with torch.no_grad():
            x, y = next(iter(self.val_loader))
            return self.loss(self.net(x), y).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    trainer = WaveTrainer(lr=1e-2)
    for e in range(6):
        print(f"epoch {e}: validation loss {trainer.epoch():.4f}")
