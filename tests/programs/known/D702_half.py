# arguments: tiny | expects: D702 likely line 23 | at most: D601 likely
# arguments: usual | silent: D702
# float16 without a scaler: the same script on targets in metres or in kilometres.
import sys

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
x = torch.randn(256, 10)
y = x[:, :1] * 0.5 + 0.2 * torch.randn(256, 1)
size = 1e-4 if sys.argv[1] == "tiny" else 1.0
with torch.no_grad():
    net[-1].weight *= size
    net[-1].bias *= size
adam = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(20):
    with torch.autocast("cpu", dtype=torch.float16):
        out = net(x)
    loss = nn.functional.mse_loss(out.float(), y * size)
    adam.zero_grad()
    loss.backward()
    adam.step()
