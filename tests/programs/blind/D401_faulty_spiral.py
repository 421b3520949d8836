# expects: D401 likely line 26
import math
import torch
import torch.nn.functional as F
from torch import nn, optim

torch.manual_seed(21)


def spiral_arms(arms=3, points=120):
    """One arm after the other, each arm is a class."""
    xs, ys = [], []
    for arm in range(arms):
        r = torch.linspace(0.1, 1, points)
        angle = 4 * r + arm * 2 * math.pi / arms + 0.15 * torch.randn(points)
        xs.append(torch.stack([r * angle.sin(), r * angle.cos()], dim=1))
        ys.append(torch.full((points,), arm))
    return torch.cat(xs), torch.cat(ys)


def main():
    points, arm = spiral_arms()
    net = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
    opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(30):
        for p, a in zip(points.split(30), arm.split(30)):
            opt.zero_grad()
            F.cross_entropy(net(p), a).backward()
            opt.step()
    with torch.no_grad():
        hits = (net(points).argmax(dim=1) == arm).float().mean()
    print(f"training accuracy {hits.item():.2f}")


main()
