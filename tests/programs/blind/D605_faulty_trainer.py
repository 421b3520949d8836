# expects: D605 likely line 18
"""Strength of a signal from its first samples."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self, inputs=10, hidden=48):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)

    def forward(self, x):
        x = self.fc1(x)
        x = self.fc2(x)
        return self.fc3(x)


class Trainer:
    def __init__(self, model, train, val, lr=1e-3):
        self.model = model
        self.train_loader = DataLoader(train, batch_size=32, shuffle=True)
        self.val_loader = DataLoader(val, batch_size=100)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss = nn.MSELoss()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                self.loss(self.model(x), y).backward()
                self.optimizer.step()
            print(f"epoch {epoch}: validation {self.evaluate():.4f}")

    def evaluate(self):
        self.model.eval()
        with torch.no_grad():
            return sum(self.loss(self.model(x), y).item() for x, y in self.val_loader) / len(self.val_loader)


def signals(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 10, generator=g)
    return TensorDataset(x, x.abs().mean(1, keepdim=True))


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer(Regressor(), signals(480, 1), signals(200, 2)).fit(6)
