# expects: D202 bug line 29
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Setup:
    factors: int = 5
    days: int = 150
    batch: int = 30
    lr: float = 0.05
    epochs: int = 10


class Returns:
    """Daily factors stored factor by factor, as they come from the archive."""

    def __init__(self, s):
        g = torch.Generator().manual_seed(60)
        self.factors = torch.randn(s.factors, s.days, generator=g)
        exposure = torch.linspace(-1, 1.5, s.factors)
        self.returns = exposure @ self.factors + 0.1 * torch.randn(s.days, generator=g)

    def dataset(self):
        count, days = self.factors.shape
        by_day = self.factors.reshape(days, count)
        return TensorDataset(by_day, self.returns.unsqueeze(1))


class Trainer:
    def __init__(self, s):
        self.s = s
        self.model = nn.Linear(s.factors, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=s.lr)

    def fit(self, data):
        loader = DataLoader(data, batch_size=self.s.batch, shuffle=True)
        for epoch in range(self.s.epochs):
            total = 0.0
            for x, r in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(x), r)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(epoch, round(total / len(loader), 4))


torch.manual_seed(1)
setup = Setup()
Trainer(setup).fit(Returns(setup).dataset())
