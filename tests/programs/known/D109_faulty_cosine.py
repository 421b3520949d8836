# expects: D109 likely line 18
# silent: D101, D102, D103, D110, D111
import torch
from torch import nn


class Trainer:
    def __init__(self, epochs):
        self.epochs = epochs
        self.net = nn.Linear(3, 2)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.01)
        self.plan = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=epochs)

    def step(self, x, y):
        self.opt.zero_grad()
        nn.functional.cross_entropy(self.net(x), y).backward()
        self.opt.step()
        self.plan.step()

    def fit(self, x, y):
        for _ in range(self.epochs):
            for rows in torch.randperm(len(x)).split(10):
                self.step(x[rows], y[rows])


torch.manual_seed(1)
x = torch.randn(80, 3)
Trainer(10).fit(x, (x[:, 0] > 0).long())
