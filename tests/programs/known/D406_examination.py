# arguments: one
# expects: D406 likely line 33
# arguments: both
# silent: D406
"""A trainer whose rows to examine on are all of one class, or of both."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def rows_of(count, only=None):
    x = torch.randn(4 * count, 3)
    y = (x[:, 0] - x[:, 2] > 0).float()
    keep = torch.ones_like(y, dtype=torch.bool) if only is None else y == only
    return TensorDataset(x[keep][:count], y[keep][:count])


class Trainer:
    def __init__(self, training, examination):
        self.model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.training, self.examination = training, examination

    def step(self, x, y):
        self.optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(self.model(x), y).backward()
        self.optimizer.step()

    def examine(self):
        loader = DataLoader(self.examination, batch_size=50)
        with torch.no_grad():
            right = sum(((self.model(x) > 0) == (y > 0.5)).sum().item() for x, y in loader)
        return right / len(self.examination)


torch.manual_seed(0)
trainer = Trainer(rows_of(300), rows_of(100, 1.0 if sys.argv[1] == "one" else None))
for epoch in range(5):
    for x, y in DataLoader(trainer.training, batch_size=30, shuffle=True):
        trainer.step(x, y)
    print(epoch, trainer.examine())
