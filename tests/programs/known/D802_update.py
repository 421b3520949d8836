# arguments: plain | expects: D802 note line 18 | at most: D604 likely
# arguments: fused | silent: D802 | at most: D604 likely
# arguments: few | silent: D802
import sys

import torch
from torch import nn

how = sys.argv[1]
torch.manual_seed(0)
x, y = torch.randn(64, 16), torch.randn(64, 1)
depth = 2 if how == "few" else 40
layers = [nn.Linear(16, 16) for _ in range(depth)]
net = nn.Sequential(*[part for layer in layers for part in (layer, nn.Tanh())], nn.Linear(16, 1))
if how == "fused":
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, fused=True)
else:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
for step in range(200):
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, loss.item())
