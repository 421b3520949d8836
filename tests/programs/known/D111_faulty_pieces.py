# expects: D111 likely line 17
# silent: D101, D102, D103, D109, D110
# A batch is cut into pieces for memory's sake.
import torch
from torch import nn


class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(3, 10), nn.Tanh(), nn.Linear(10, 2))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)

    def step(self, x, y, pieces=5):
        self.opt.zero_grad()
        for xs, ys in zip(x.chunk(pieces), y.chunk(pieces)):
            out = self.net(xs)
            nn.functional.cross_entropy(out, ys).backward()
        self.opt.step()


torch.manual_seed(1)
trainer = Trainer()
for i in range(12):
    x = torch.randn(50, 3)
    trainer.step(x, (x[:, 0] > 0).long())
