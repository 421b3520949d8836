# expects: D403 note line 13
"""A loader in order that drops its last batch: the same rows in every epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(0)
    x = torch.rand(333, 3)
    data = TensorDataset(x, x @ torch.tensor([1.0, 2.0, -1.0]))
    loader = DataLoader(data, batch_size=32, drop_last=True)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        for a, b in loader:
            loss = nn.functional.mse_loss(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


main()
