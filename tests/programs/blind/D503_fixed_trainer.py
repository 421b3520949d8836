# silent: D503
"""Predict the yield of a field (tonnes) from soil and weather figures."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Options:
    epochs: int = 6
    batch: int = 25
    lr: float = 0.02


class FieldNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(6, 24)
        self.down = nn.Linear(24, 1)

    def forward(self, field):
        return self.down(torch.tanh(self.up(field))).squeeze(-1)


class FieldTrainer:
    def __init__(self, options, dataset):
        self.options = options
        self.dataset = dataset
        self.net = FieldNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=options.lr)
        self.loss_function = nn.MSELoss()

    def run(self):
        loader = DataLoader(self.dataset, batch_size=self.options.batch, shuffle=True)
        for epoch in range(self.options.epochs):
            epoch_loss = 0.0
            for field, harvest in loader:
                self.optimizer.zero_grad()
                loss = self.loss_function(self.net(field), harvest)
                loss.backward()
                self.optimizer.step()
                epoch_loss += loss.item()
            print(f"[{epoch}] train_loss={epoch_loss / len(loader):.6f}")


def main():
    torch.manual_seed(131)
    field = torch.randn(300, 6)
    harvest = 5 + field[:, 0] + field[:, 1] * field[:, 2] + 0.3 * torch.randn(300)
    FieldTrainer(Options(), TensorDataset(field, harvest)).run()


if __name__ == "__main__":
    main()
