# expects: D601 bug line 40 | at most: D701 bug
"""Energy use of buildings, a small network and plain SGD with momentum."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Settings:
    lr: float = 1.0
    momentum: float = 0.9
    epochs: int = 5
    batch: int = 32


class EnergyNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.a = nn.Linear(8, hidden)
        self.b = nn.Linear(hidden, hidden)
        self.c = nn.Linear(hidden, 1)

    def forward(self, x):
        x = torch.relu(self.a(x))
        x = torch.relu(self.b(x))
        return self.c(x)


class Trainer:
    def __init__(self, settings):
        self.settings = settings
        g = torch.Generator().manual_seed(2)
        x = torch.randn(640, 8, generator=g)
        y = 3 * x[:, :1] + 2 * x[:, 1:2].abs() + x[:, 2:3] * x[:, 3:4]
        self.loader = DataLoader(TensorDataset(x, y), batch_size=settings.batch, shuffle=True)
        self.model = EnergyNet()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=settings.lr, momentum=settings.momentum)
        self.criterion = nn.MSELoss()

    def fit(self):
        for epoch in range(self.settings.epochs):
            total = 0.0
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch}: {total / len(self.loader):.4g}")


torch.manual_seed(0)
Trainer(Settings()).fit()
