# silent: D603
"""Ratings from user and film numbers: the numbers run to the hundreds, but only pick rows of a table."""

import torch
from torch import nn


class Taste(nn.Module):
    def __init__(self, users=300, films=5, d=6):
        super().__init__()
        self.user = nn.Embedding(users, d)
        self.film = nn.Embedding(films, d)

    def forward(self, pairs):
        u, f = self.user(pairs[:, 0]), self.film(pairs[:, 1])
        return (u * f).sum(1) / 2


torch.manual_seed(27)
pairs = torch.stack([torch.randint(0, 300, (1500,)), torch.randint(0, 5, (1500,))], dim=1)
a, b = torch.randn(300, 2), torch.randn(5, 2)
rating = (a[pairs[:, 0]] * b[pairs[:, 1]]).sum(1)
model = Taste()
opt = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(1500).split(100):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(pairs[rows]), rating[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 15
    print(epoch, round(total, 3))
