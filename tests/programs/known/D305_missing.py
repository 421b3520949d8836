# arguments: all | silent: D305
# arguments: lost | expects: D305 likely line 38
# arguments: one_less | at most: D305 note
# arguments: bytes | silent: D305
# arguments: ignored | silent: D305
# arguments: from_one | expects: D305 likely line 38
# A table of classes split into training and evaluation; in one file a class is in the evaluation only.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
kind = sys.argv[1]
y = torch.randint(0, 5, (500,))
x = torch.randn(5, 6)[y] * 2 + torch.randn(500, 6)
train = torch.ones(500, dtype=torch.bool)
train[torch.randperm(500)[:100]] = False
width = 5
if kind == "lost":
    train[y == 3] = False
elif kind == "one_less":
    width = 6
elif kind == "bytes":
    width = 256
elif kind == "ignored":
    y[::7] = -100
elif kind == "from_one":
    y, width = y + 1, 6
loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=50, shuffle=True)
examined = DataLoader(TensorDataset(x[~train], y[~train]), batch_size=100)
net = nn.Linear(6, width)
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(4):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch, sum((net(xb).argmax(1) == yb).sum().item() for xb, yb in examined) / int((~train).sum()))
