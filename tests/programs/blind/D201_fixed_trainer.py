# silent: D201
"""Estimate the fuel use of a car from five measurements."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Cars(Dataset):
    def __init__(self, n=250):
        g = torch.Generator().manual_seed(40)
        self.x = torch.randn(n, 5, generator=g)
        self.fuel = 6 + self.x[:, 0] - 0.7 * self.x[:, 1] * self.x[:, 2]

    def __len__(self):
        return len(self.fuel)

    def __getitem__(self, i):
        return self.x[i], self.fuel[i]


class Trainer:
    def __init__(self, model, train, valid):
        self.model = model
        self.train_loader = DataLoader(train, batch_size=20, shuffle=True)
        self.valid_loader = DataLoader(valid, batch_size=50)
        self.loss_fn = nn.MSELoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def loss(self, batch):
        x, fuel = batch
        return self.loss_fn(self.model(x).squeeze(1), fuel)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            for batch in self.train_loader:
                self.optimizer.zero_grad()
                self.loss(batch).backward()
                self.optimizer.step()
            self.model.eval()
            with torch.no_grad():
                valid = [self.loss(batch).item() for batch in self.valid_loader]
            print(f"epoch {epoch}: validation {sum(valid) / len(valid):.3f}")


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    train, valid = random_split(Cars(), [200, 50])
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    Trainer(net, train, valid).fit(8)
