# at most: D401 note
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    rows: int = 600
    batch: int = 50
    epochs: int = 5
    lr: float = 0.1


def make_data(cfg):
    gen = torch.Generator().manual_seed(77)
    label = torch.arange(cfg.rows) * 3 // cfg.rows
    centre = torch.tensor([[0.0, 2.0], [1.8, -1.0], [-1.8, -1.0]])
    x = centre[label] + 0.8 * torch.randn(cfg.rows, 2, generator=gen)
    mix = torch.randperm(cfg.rows, generator=gen)
    return x[mix], label[mix]


def train(cfg):
    x, label = make_data(cfg)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=cfg.lr)
    for epoch in range(cfg.epochs):
        summed = 0.0
        for i in range(0, cfg.rows, cfg.batch):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x[i : i + cfg.batch]), label[i : i + cfg.batch])
            loss.backward()
            opt.step()
            summed += loss.item() * cfg.batch
        print(epoch, f"{summed / cfg.rows:.4f}")


train(Config())
