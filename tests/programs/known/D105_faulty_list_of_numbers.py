# expects: D105 bug line 14
# silent: D101, D102, D103, D104, D106, D107, D108
import torch
from torch import nn


class Fit:
    def __init__(self):
        self.net = nn.Linear(2, 1)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1)

    def total(self, batches):
        parts = [float((self.net(x)[:, 0] - x.sum(1)).abs().mean()) for x in batches]
        return torch.tensor(parts, requires_grad=True).sum()

    def step(self, batches):
        self.opt.zero_grad()
        self.total(batches).backward()
        self.opt.step()


torch.manual_seed(9)
fit = Fit()
for i in range(8):
    fit.step([torch.randn(10, 2) for _ in range(3)])
