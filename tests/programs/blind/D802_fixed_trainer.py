# silent: D802
"""A very deep, very thin residual net; each of its sixty layers is a few numbers only."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ThinNet(nn.Module):
    def __init__(self, width=8, depth=60):
        super().__init__()
        self.inp = nn.Linear(3, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = self.inp(x)
        for layer in self.layers:
            x = x + 0.1 * torch.tanh(layer(x))
        return self.out(x)


class Trainer:
    def __init__(self, net):
        g = torch.Generator().manual_seed(41)
        x = torch.randn(256, 3, generator=g)
        y = torch.sin(x[:, :1]) * x[:, 1:2]
        self.net = net
        self.loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
        self.optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, fused=True)

    def fit(self, epochs):
        for epoch in range(epochs):
            total = 0.0
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() / len(self.loader)
            print(f"epoch {epoch}: {total:.4f}")


torch.manual_seed(0)
Trainer(ThinNet()).fit(6)
