# silent: D501
"""Uncertainty by Monte-Carlo dropout: the same inputs go through the network 20 times with dropout active."""

import torch
from torch import nn


def make_net():
    return nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))


def sample_predictions(net, inputs, times=20):
    net.train()
    with torch.no_grad():
        samples = torch.stack([net(inputs) for _ in range(times)])
    return samples.mean(0), samples.std(0)


torch.manual_seed(113)
x = 4 * torch.rand(200, 1) - 2
y = x.sin() + 0.1 * torch.randn(200, 1)
net = make_net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(15):
    for rows in torch.randperm(200).split(50):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        loss.backward()
        opt.step()

grid = torch.linspace(-4, 4, 9)[:, None]
mean, spread = sample_predictions(net, grid)
for position, m, s in zip(grid[:, 0].tolist(), mean[:, 0].tolist(), spread[:, 0].tolist()):
    print(f"{position:+.1f}: {m:+.2f} +- {s:.2f}")
