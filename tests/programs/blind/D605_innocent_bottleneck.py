# at most: D605 note
"""A wide layer written as a product of two thin ones, to save weights."""

import torch
from torch import nn


class Thin(nn.Module):
    def __init__(self, i, o, rank):
        super().__init__()
        self.down = nn.Linear(i, rank, bias=False)
        self.up = nn.Linear(rank, o)

    def forward(self, x):
        return self.up(self.down(x))


torch.manual_seed(52)
x = torch.randn(400, 40)
y = torch.tanh(x[:, :3].sum(1, keepdim=True))
net = nn.Sequential(Thin(40, 40, 6), nn.ReLU(), nn.Linear(40, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(400).split(40):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 10
    print(epoch, round(total, 4))
