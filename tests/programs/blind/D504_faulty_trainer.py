# expects: D504 note line 27
"""Estimate the age of a tree from its girth, height and crown."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AgeTrainer:
    def __init__(self, network):
        self.network = network
        self.criterion = nn.L1Loss(reduction="sum")
        self.optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

    def train(self, loader):
        self.network.train()
        for trees, age in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.network(trees), age) / len(age)
            loss.backward()
            self.optimizer.step()

    def evaluate(self, loader):
        self.network.eval()
        total = 0.0
        for trees, age in loader:
            total += self.criterion(self.network(trees), age).item()
        return total / len(loader.dataset)


def forest(seed, n):
    g = torch.Generator().manual_seed(seed)
    age = 10 + 90 * torch.rand(n, 1, generator=g)
    trees = torch.cat([age / 40, age.sqrt() / 5, age.log() / 3], dim=1) + 0.05 * torch.randn(n, 3, generator=g)
    return TensorDataset(trees, age / 50)


def main():
    torch.manual_seed(140)
    trainer = AgeTrainer(nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 1)))
    learn = DataLoader(forest(1, 240), batch_size=30, shuffle=True)
    test = DataLoader(forest(2, 80), batch_size=40)
    for epoch in range(5):
        trainer.train(learn)
        print("epoch", epoch, "mean absolute test error", trainer.evaluate(test))


main()
