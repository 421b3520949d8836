# arguments: zero_head | silent: D304
# arguments: satisfied | silent: D304
# arguments: residual | silent: D304
# arguments: constant | silent: D304
# Heads and branches that begin at zero, a hinge that is satisfied, and a baseline without any input.
import sys

import torch
from torch import nn

kind = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(120, 6)
label = (x[:, 0] > 0).long()
body = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
head = nn.Linear(16, 2)
branch = nn.Linear(16, 16)
level = torch.zeros(1, requires_grad=True)
if kind == "zero_head":
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
if kind == "residual":
    nn.init.zeros_(branch.weight), nn.init.zeros_(branch.bias)
if kind == "satisfied":
    body = nn.Identity()
    head = nn.Linear(6, 2)
    with torch.no_grad():
        x[:, 0] += 3 * x[:, 0].sign()
        head.weight.zero_(), head.bias.zero_()
        head.weight[1, 0] = 2.0
used = [level] if kind == "constant" else [*body.parameters(), *head.parameters()]
optimizer = torch.optim.SGD(used + list(branch.parameters()) * (kind == "residual"), lr=0.1)
for step in range(25):
    hidden = body(x)
    if kind == "residual":
        hidden = hidden + branch(hidden)
    scores = head(hidden)
    if kind == "satisfied":
        loss = nn.functional.multi_margin_loss(scores, label)
    elif kind == "constant":
        loss = ((level.expand(120) - x[:, 1]) ** 2).mean()
    else:
        loss = nn.functional.cross_entropy(scores, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
