# expects: D402 bug line 22
"""Predict whether a customer renews, from eight numbers about them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def customers(n=800):
    g = torch.Generator().manual_seed(31)
    x = torch.randn(n, 8, generator=g)
    score = x[:, 0] - 0.8 * x[:, 3] + 0.6 * x[:, 5] * x[:, 6] + 0.8 * torch.randn(n, generator=g)
    return TensorDataset(x, (score > 0).float())


class Experiment:
    def __init__(self):
        torch.manual_seed(0)
        data = customers()
        train_set, val_set = random_split(data, [600, 200])
        self.train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
        self.val_loader = DataLoader(data, batch_size=100)
        self.net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.01)
        self.loss = nn.BCEWithLogitsLoss()

    def train_epoch(self):
        self.net.train()
        for x, y in self.train_loader:
            self.opt.zero_grad()
            self.loss(self.net(x).squeeze(1), y).backward()
            self.opt.step()

    def validate(self):
        self.net.eval()
        right = seen = 0
        with torch.no_grad():
            for x, y in self.val_loader:
                right += ((self.net(x).squeeze(1) > 0) == (y > 0.5)).sum().item()
                seen += len(y)
        return right / seen

    def run(self, epochs=8):
        for epoch in range(epochs):
            self.train_epoch()
            print(f"epoch {epoch}  validation accuracy {self.validate():.3f}")


Experiment().run()
