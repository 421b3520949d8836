# arguments: sorted
# expects: D401 likely line 23
# arguments: mixed
# at most: D401 note
"""One script and two tables: the loader never shuffles, which matters only where the table is sorted."""

import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, features, labels):
        self.net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 4))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-2)
        self.criterion = nn.CrossEntropyLoss()
        self.loader = self.make_loader(TensorDataset(features, labels))

    def make_loader(self, dataset):
        return DataLoader(dataset, batch_size=20, shuffle=False)

    def fit(self, epochs):
        for _ in range(epochs):
            total = 0.0
            for features, labels in self.loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(features), labels)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(labels)
            print(total / len(self.loader.dataset))


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 320)
    features = rng.normal(size=(320, 5)) + labels[:, None] * np.array([1.0, -0.5, 0.2, 0.0, 0.7])
    if sys.argv[1] == "sorted":
        order = np.argsort(labels, kind="stable")
        features, labels = features[order], labels[order]
    Trainer(torch.tensor(features, dtype=torch.float32), torch.tensor(labels)).fit(4)


main()
