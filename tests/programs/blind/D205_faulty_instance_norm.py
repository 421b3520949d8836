# expects: D205 likely line 16
"""Classify three-axis accelerometer windows."""

import torch
from torch import nn


class Walk(nn.Module):
    def __init__(self, axes=3, classes=2):
        super().__init__()
        self.norm = nn.InstanceNorm2d(axes)
        self.conv = nn.Conv1d(axes, 8, 5)
        self.fc = nn.Linear(8, classes)

    def forward(self, x):
        x = self.norm(x)
        x = torch.relu(self.conv(x)).mean(dim=2)
        return self.fc(x)


def windows(n, length=32):
    t = torch.arange(length) * 0.4
    kind = torch.randint(0, 2, (n,))
    speed = torch.where(kind == 1, 1.5, 0.7)[:, None, None]
    phase = 6.28 * torch.rand(n, 1, 1)
    wave = torch.sin(speed * t + phase) * torch.tensor([1.0, 0.2, 5.0])[:, None]
    return wave + 0.1 * torch.randn(n, 3, length), kind


def main():
    torch.manual_seed(2)
    x, kind = windows(200)
    net = Walk()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for epoch in range(6):
        for rows in torch.randperm(200).split(20):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[rows]), kind[rows])
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
