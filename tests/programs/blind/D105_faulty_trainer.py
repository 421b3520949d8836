# expects: D105 bug line 24
"""Three kinds of flowers from four measurements."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def flowers(n=210):
    g = torch.Generator().manual_seed(21)
    kind = torch.randint(0, 3, (n,), generator=g)
    means = torch.tensor([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    return TensorDataset(means[kind] + 0.3 * torch.randn(n, 4, generator=g), kind)


class FlowerTrainer:
    def __init__(self, epochs=5):
        self.epochs = epochs
        self.model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05)

    def loss(self, measurements, kind):
        scores = self.model(measurements)
        predicted = scores.argmax(dim=1).float()
        return nn.functional.l1_loss(predicted, kind.float()).requires_grad_()

    def train(self, loader):
        for epoch in range(self.epochs):
            total = 0.0
            for measurements, kind in loader:
                self.optimizer.zero_grad()
                loss = self.loss(measurements, kind)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(epoch, total / len(loader))


torch.manual_seed(3)
FlowerTrainer().train(DataLoader(flowers(), batch_size=30, shuffle=True))
