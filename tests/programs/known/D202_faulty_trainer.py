# expects: D202 bug line 22 | at most: D406 likely
"""Small pictures whose examples lie along the last axis, as some files keep them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pictures(count):
    """(6, 6, count) with a bright corner that tells the class."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 4, (count,), generator=generator)
    images = 0.4 * torch.randn(6, 6, count, generator=generator)
    for number, label in enumerate(labels.tolist()):
        row, column = divmod(label, 2)
        images[3 * row : 3 * row + 3, 3 * column : 3 * column + 3, number] += 1
    return images, labels


class Trainer:
    def __init__(self, images, labels):
        self.data = images.reshape(256, 6, 6)
        self.loader = DataLoader(TensorDataset(self.data, labels), batch_size=32, shuffle=True)
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, 4))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def fit(self, epochs):
        for _ in range(epochs):
            for x, y in self.loader:
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer(*pictures(256)).fit(3)
