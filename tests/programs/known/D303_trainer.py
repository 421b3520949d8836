# arguments: faulty | expects: D303 likely line 15
# arguments: fixed | silent: D303
# A binary classifier with a ReLU behind its last layer.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build():
    layers = [nn.Linear(6, 24)]
    if sys.argv[1] == "fixed":
        return nn.Sequential(*layers, nn.Tanh(), nn.Linear(24, 1))
    return nn.Sequential(*layers, nn.Tanh(), nn.Linear(24, 1), nn.ReLU())


class Trainer:
    def __init__(self):
        self.model, self.criterion = build(), nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.01)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x).squeeze(1), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
x = torch.randn(300, 6)
y = (x[:, 0] + x[:, 1] ** 2 > 0.5).float()
trainer = Trainer()
for epoch in range(4):
    print(sum(trainer.step(*batch) for batch in DataLoader(TensorDataset(x, y), 50, shuffle=True)) / 6)
