# expects: D101 bug line 32
import math

import torch
import torch.nn as nn


def two_spirals(n, noise=0.05, seed=3):
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(n, generator=g) * 2 * math.pi
    arm = torch.randint(0, 2, (n,), generator=g)
    r = t / (2 * math.pi)
    angle = t + math.pi * arm
    xy = torch.stack([r * torch.cos(angle), r * torch.sin(angle)], 1)
    return xy + noise * torch.randn(n, 2, generator=g), arm


def main():
    torch.manual_seed(0)
    points, arm = two_spirals(320)
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    ce = nn.CrossEntropyLoss()

    for epoch in range(8):
        # fresh gradients for this epoch
        opt.zero_grad()
        order = torch.randperm(len(points))
        for start in range(0, len(points), 32):
            pick = order[start : start + 32]
            loss = ce(net(points[pick]), arm[pick])
            loss.backward()
            opt.step()
        print(epoch, round(loss.item(), 4))


main()
