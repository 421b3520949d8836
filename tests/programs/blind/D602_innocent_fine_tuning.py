# silent: D602
"""First learn the common task, then adapt gently to a similar one."""

import torch
from torch import nn


def task(n, shift, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=g)
    y = torch.sin(x[:, :1]) + x[:, 1:2] * (0.5 + shift) + 0.1 * torch.randn(n, 1, generator=g)
    return x, y


def fit(model, x, y, lr, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    return loss.item()


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
print("pretrained:", fit(model, *task(800, 0.0, 1), lr=1e-2, epochs=20))
print("fine-tuned:", fit(model, *task(200, 0.02, 2), lr=2e-5, epochs=5))
