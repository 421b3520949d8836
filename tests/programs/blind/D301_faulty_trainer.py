# expects: D301 bug line 57
"""Classify small synthetic 'flower measurement' rows with a trainer class."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    features: int = 4
    classes: int = 3
    hidden: int = 16
    epochs: int = 6
    batch_size: int = 30
    lr: float = 1e-2


def make_flowers(rows: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    species = torch.randint(0, 3, (rows,), generator=generator)
    measurements = centres[species] + 0.35 * torch.randn(rows, 4, generator=generator)
    measurements = (measurements - measurements.mean(0)) / measurements.std(0)
    return TensorDataset(measurements, species)


class FlowerNet(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(config.features, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.classes),
            nn.Softmax(dim=1),
        )

    def forward(self, measurements):
        return self.body(measurements)


class Trainer:
    def __init__(self, config: Config):
        self.config = config
        self.model = FlowerNet(config)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)

    def fit(self, dataset):
        loader = DataLoader(dataset, batch_size=self.config.batch_size, shuffle=True)
        for epoch in range(self.config.epochs):
            summed, seen = 0.0, 0
            for measurements, species in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(measurements), species)
                loss.backward()
                self.optimizer.step()
                summed += loss.item() * len(species)
                seen += len(species)
            print(f"epoch {epoch + 1}: mean loss {summed / seen:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer(Config()).fit(make_flowers(300, seed=11))
