# arguments: each
# expects: D405 likely line 33
# arguments: shared
# silent: D405
"""A stream of rows read by two worker processes: each reads all of it, or every second row."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class Stream(IterableDataset):
    def __init__(self, rows, targets, share):
        self.rows, self.targets, self.share = rows, targets, share

    def __iter__(self):
        info = get_worker_info()
        step = info.num_workers if info is not None and self.share else 1
        first = info.id if info is not None and self.share else 0
        for i in range(first, len(self.rows), step):
            yield self.rows[i], self.targets[i]


class Trainer:
    def __init__(self, stream):
        self.stream = stream
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def fit(self, epochs):
        loader = DataLoader(self.stream, batch_size=16, num_workers=2)
        for _ in range(epochs):
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
            print(loss.item())


if __name__ == "__main__":
    torch.manual_seed(0)
    rows = torch.randn(192, 4)
    Trainer(Stream(rows, rows.sum(1, keepdim=True), sys.argv[1] == "shared")).fit(2)
