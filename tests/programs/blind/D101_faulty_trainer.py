# expects: D101 bug line 41
"""House prices from size, age and number of rooms."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_houses(n=256):
    generator = torch.Generator().manual_seed(4)
    size = torch.randn(n, 1, generator=generator)
    age = torch.randn(n, 1, generator=generator)
    rooms = torch.randn(n, 1, generator=generator)
    price = 3.0 * size - 0.8 * age + 0.5 * rooms + 0.1 * torch.randn(n, 1, generator=generator)
    return TensorDataset(torch.cat([size, age, rooms], dim=1), price)


class PriceModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


class Trainer:
    def __init__(self, model, dataset, lr=0.01, batch_size=32):
        self.model = model
        self.loader = DataLoader(dataset, batch_size=batch_size, shuffle=True)
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for features, price in self.loader:
            prediction = self.model(features)
            loss = self.criterion(prediction, price)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(features)
        return total / len(self.loader.dataset)

    def fit(self, epochs):
        for epoch in range(epochs):
            print(f"epoch {epoch}: loss {self.train_epoch():.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer(PriceModel(), make_houses()).fit(6)
