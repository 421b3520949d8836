# silent: D306
"""Recognise which of five waveforms a short signal has."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Signals(Dataset):
    """sine, square, saw, triangle and pulse, 24 samples each, random phase"""

    def __init__(self, n):
        g = torch.Generator().manual_seed(101)
        t = torch.arange(24) / 24
        self.kind = torch.randint(0, 5, (n,), generator=g)
        phase = torch.rand(n, 1, generator=g)
        u = (t + phase) % 1
        shapes = torch.stack(
            [(2 * math.pi * u).sin(), (u < 0.5).float() * 2 - 1, 2 * u - 1, 1 - 4 * (u - 0.5).abs(), (u < 0.15).float()]
        )
        self.signal = shapes[self.kind, torch.arange(n)] + 0.05 * torch.randn(n, 24, generator=g)

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        return self.signal[i], self.kind[i]


class Trainer:
    def __init__(self, train_set, valid_set):
        self.train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
        self.valid_loader = DataLoader(valid_set, batch_size=60)
        self.model = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 5))
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=5e-3)

    def train(self):
        self.model.train()
        for signal, kind in self.train_loader:
            prediction = self.model(signal)
            loss = self.criterion(prediction, kind)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def validate(self):
        self.model.eval()
        hits = 0
        with torch.no_grad():
            for signal, kind in self.valid_loader:
                hits += (self.model(signal).argmax(-1) == kind).sum().item()
        return hits / len(self.valid_loader.dataset)


def main():
    torch.manual_seed(3)
    parts = random_split(Signals(300), [240, 60])
    trainer = Trainer(*parts)
    for epoch in range(15):
        trainer.train()
        print("epoch", epoch, "validation hits", trainer.validate())


main()
