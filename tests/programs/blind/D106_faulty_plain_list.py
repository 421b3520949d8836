# expects: D106 bug line 23
"""Next value of a noisy sine from the last twelve."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Settings:
    window: int = 12
    width: int = 24
    depth: int = 3
    lr: float = 3e-3
    steps: int = 60


class StackedNet(nn.Module):
    def __init__(self, s):
        super().__init__()
        sizes = [s.window] + [s.width] * s.depth
        self.blocks = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        self.out = nn.Linear(s.width, 1)

    def forward(self, x):
        for block in self.blocks:
            x = torch.relu(block(x))
        return self.out(x)


def main(s=Settings()):
    torch.manual_seed(0)
    series = torch.sin(torch.arange(500) * 0.15) + 0.05 * torch.randn(500)
    frames = series.unfold(0, s.window + 1, 1)
    past, future = frames[:, :-1], frames[:, -1:]
    model = StackedNet(s)
    opt = torch.optim.Adam(model.parameters(), lr=s.lr)
    for step in range(s.steps):
        rows = torch.randint(0, len(past), (64,))
        loss = nn.functional.mse_loss(model(past[rows]), future[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 15 == 0:
            print(step, loss.item())


main()
