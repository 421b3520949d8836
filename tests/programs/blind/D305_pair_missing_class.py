# arguments: faulty | expects: D305 bug line 30
# arguments: clean | silent: D305
"""Weather type of tomorrow, four types. Recorded days are split by year: two years to learn, one to test."""

import sys

import torch
from torch import nn


def days(variant):
    g = torch.Generator().manual_seed(15)
    sky = torch.randn(450, 5, generator=g)
    kind = (sky[:, :4] + 0.2 * torch.randn(450, 4, generator=g)).argmax(1)
    if variant == "faulty":
        # the station reported no snow (3) in its first two years
        early = torch.arange(450) < 300
        kind[early & (kind == 3)] = 2
    return sky, kind


torch.manual_seed(15)
sky, kind = days(sys.argv[1])
learn_x, learn_y, test_x, test_y = sky[:300], kind[:300], sky[300:], kind[300:]
net = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 4))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(12):
    for rows in torch.randperm(300).split(50):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(learn_x[rows]), learn_y[rows])
        loss.backward()
        opt.step()
with torch.no_grad():
    print("right on the last year:", (net(test_x).argmax(1) == test_y).float().mean().item())
