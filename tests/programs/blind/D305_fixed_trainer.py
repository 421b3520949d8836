# silent: D305
"""Digits drawn with seven segments. A random fifth of the file is kept for validation."""

import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SEGMENTS = [
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
]


def read_file():
    g = torch.Generator().manual_seed(71)
    digits = torch.arange(10).repeat_interleave(40)
    clean = torch.tensor([[float(c) for c in s] for s in SEGMENTS])
    return clean[digits] + 0.25 * torch.randn(400, 7, generator=g), digits


class DigitTrainer:
    def __init__(self, batch_size=32):
        segments, digits = read_file()
        order = torch.randperm(len(digits))
        segments, digits = segments[order], digits[order]
        cut = int(0.8 * len(digits))
        self.training = DataLoader(TensorDataset(segments[:cut], digits[:cut]), batch_size=batch_size, shuffle=True)
        self.validation = DataLoader(TensorDataset(segments[cut:], digits[cut:]), batch_size=batch_size)
        self.model = nn.Sequential(nn.Linear(7, 48), nn.ReLU(), nn.Linear(48, 10))
        self.opt = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def train_epoch(self):
        for segments, digits in self.training:
            self.opt.zero_grad()
            loss = F.cross_entropy(self.model(segments), digits)
            loss.backward()
            self.opt.step()

    @torch.no_grad()
    def accuracy(self, loader):
        self.model.eval()
        right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        self.model.train()
        return right / len(loader.dataset)


torch.manual_seed(0)
trainer = DigitTrainer()
for epoch in range(1, 7):
    trainer.train_epoch()
    print(f"{epoch}  train {trainer.accuracy(trainer.training):.3f}  valid {trainer.accuracy(trainer.validation):.3f}")
