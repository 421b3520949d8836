# at most: D104 note
"""Shared trunk with a head for each task; this script trains the first task only."""

import torch
from torch import nn


class MultiTask(nn.Module):
    def __init__(self, tasks=("digit", "colour")):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 24), nn.Tanh())
        self.heads = nn.ModuleDict({task: nn.Linear(24, 5) for task in tasks})

    def forward(self, x, task):
        return self.heads[task](self.trunk(x))


def main():
    torch.manual_seed(0)
    x = torch.randn(160, 12)
    digit = x[:, :5].argmax(1)
    model = MultiTask()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for step in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x, "digit"), digit)
        loss.backward()
        optimizer.step()
    print(loss.item())


if __name__ == "__main__":
    main()
