# expects: D502 likely line 34
"""Detect a fault in a motor from 16 samples of its current."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MotorNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 5, padding=2)
        self.bn = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8 * 8, 2)

    def forward(self, current):
        h = torch.relu(self.bn(self.conv(current.unsqueeze(1))))
        h = nn.functional.max_pool1d(h, 2).flatten(1)
        return self.head(self.drop(h))


class MotorTrainer:
    def __init__(self):
        self.net = MotorNet()
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=3e-3)
        self.net.train()

    def fit(self, learning, validating, epochs):
        for epoch in range(epochs):
            for batch, damaged in learning:
                self.optimizer.zero_grad()
                output = self.net(batch)
                loss = self.criterion(output, damaged)
                loss.backward()
                self.optimizer.step()
            print("epoch", epoch, "validation accuracy", self.check(validating))

    def check(self, validating):
        self.net.eval()
        right = 0
        with torch.no_grad():
            for batch, damaged in validating:
                right += (self.net(batch).argmax(1) == damaged).sum().item()
        return right / len(validating.dataset)


def currents(n, seed):
    g = torch.Generator().manual_seed(seed)
    broken = torch.randint(0, 2, (n,), generator=g)
    t = torch.arange(16) / 16
    wave = torch.sin(2 * torch.pi * (t + torch.rand(n, 1, generator=g)))
    wave = wave + 0.4 * broken[:, None] * torch.sin(12 * torch.pi * t) + 0.1 * torch.randn(n, 16, generator=g)
    return TensorDataset(wave, broken)


torch.manual_seed(120)
MotorTrainer().fit(
    DataLoader(currents(240, 1), batch_size=24, shuffle=True), DataLoader(currents(60, 2), batch_size=30), epochs=5
)
