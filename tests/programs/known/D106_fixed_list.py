# silent: D101, D102, D103, D104, D105, D106, D107, D108 | at most: D605 likely
import torch
from torch import nn


class Deep(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.start = nn.Linear(2, width)
        self.middle = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.end = nn.Linear(width, 1)

    def forward(self, x):
        x = self.start(x)
        for layer in self.middle:
            x = layer(torch.tanh(x))
        return self.end(x)


torch.manual_seed(2)
deep = Deep(8, 2)
opt = torch.optim.SGD(deep.parameters(), lr=0.05)
for i in range(20):
    x = torch.rand(30, 2)
    opt.zero_grad()
    loss = torch.nn.functional.mse_loss(deep(x)[:, 0], x.prod(1))
    loss.backward()
    opt.step()
