# expects: D204 bug line 15
"""Find the loud moment: attention weights pool the moments of a sequence."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AttentionPool(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.score = nn.Linear(features, 1)

    def forward(self, x):
        weights = torch.softmax(self.score(x), dim=-1)
        return (weights * x).sum(dim=1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = AttentionPool(5)
        self.out = nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.pool(x))


class Trainer:
    def __init__(self):
        self.model = Model()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.05)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            total = 0.0
            for x, y in loader:
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(epoch, total / len(loader))


torch.manual_seed(6)
x = torch.randn(240, 10, 5)
x[..., 4] = 0
loud = torch.randint(0, 10, (240,))
x[torch.arange(240), loud, 4] = 3
y = x[torch.arange(240), loud, :3].argmax(dim=1)
Trainer().fit(DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True), epochs=6)
