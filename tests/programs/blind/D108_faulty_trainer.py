# expects: D108 bug line 18
"""Linear model of electricity use; predictions are made for the whole table."""

import torch
from torch import nn


class LoadModel:
    def __init__(self, hours, use):
        self.hours, self.use = hours, use
        self.layer = nn.Linear(hours.shape[1], 1)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.05)
        self.prediction = self.layer(hours)

    def step(self):
        loss = nn.functional.mse_loss(self.prediction, self.use)
        self.optimizer.zero_grad()
        loss.backward(retain_graph=True)
        self.optimizer.step()
        return loss.item()

    def fit(self, steps):
        for i in range(steps):
            loss = self.step()
            if i % 10 == 0:
                print(f"step {i}: {loss:.4f}")


torch.manual_seed(9)
hours = torch.randn(120, 5)
use = hours @ torch.tensor([[0.5], [1.0], [-1.5], [0.0], [2.0]]) + 4
LoadModel(hours, use).fit(40)
