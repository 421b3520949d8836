# arguments: softmax | expects: D301 bug line 27
# arguments: scores | silent: D301
# A trainer class with a loader; softmax is the last layer of a Sequential.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, layers, lr):
        self.net = nn.Sequential(*layers)
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)

    @staticmethod
    def layers():
        made = [nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 5)]
        return [*made, nn.Softmax(dim=-1)] if sys.argv[1] == "softmax" else made

    def fit(self, loader, epochs):
        for _ in range(epochs):
            total = 0.0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = self.loss(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(total / len(loader))


torch.manual_seed(1)
centres = torch.randn(5, 8) * 2
y = torch.randint(0, 5, (300,))
x = centres[y] + torch.randn(300, 8)
Trainer(Trainer.layers(), 3e-3).fit(DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True), 4)
