# arguments: faulty | expects: D501 bug line 41
# arguments: clean | silent: D501
"""Train on whatever the archive holds: 8x8 pictures get a convolution with batch norm, flat rows get a plain MLP."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def archive(variant):
    g = torch.Generator().manual_seed(114)
    label = torch.randint(0, 2, (260,), generator=g)
    if variant == "clean":
        return TensorDataset(torch.randn(260, 10, generator=g) + label[:, None] * 0.8, label)
    stripes = torch.arange(8) % 2
    upright = stripes.float().expand(8, 8)
    pictures = torch.where(label[:, None, None] == 1, upright, upright.T)
    return TensorDataset(pictures[:, None] + 0.5 * torch.randn(260, 1, 8, 8, generator=g), label)


def network_for(example):
    if example.dim() == 3:
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    return nn.Sequential(nn.Linear(len(example), 16), nn.ReLU(), nn.Linear(16, 2))


def train(net, loader, opt):
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()


@torch.no_grad()
def test(net, loader):
    hits = 0
    for x, y in loader:
        hits += (net(x).argmax(1) == y).sum().item()
    return hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(114)
    data = archive(sys.argv[1])
    learn, held_out = random_split(data, [200, 60])
    net = network_for(data[0][0])
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(4):
        train(net, DataLoader(learn, batch_size=25, shuffle=True), opt)
        print("held-out accuracy", round(test(net, DataLoader(held_out, batch_size=30)), 3))
