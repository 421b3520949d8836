# expects: D109 likely line 14
# silent: D101, D102, D103, D110, D111
import torch
from torch import nn


def run(epochs=6):
    torch.manual_seed(15)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.1)
    data = torch.randn(60, 3)
    for epoch in range(epochs):
        scheduler.step()
        for x in data.split(20):
            optimizer.zero_grad()
            (model(x)[:, 0] - x.sum(1)).abs().mean().backward()
            optimizer.step()


run()
