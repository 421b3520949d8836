# arguments: 1 | expects: D305 bug line 21 | exits: 1
# arguments: 0 | silent: D305
# arguments: float | expects: D305 bug line 21 | exits: 1
# Classes counted from 1, and classes as floats: PyTorch ends the program at the first batch that shows it.
import sys

import torch
from torch import nn

torch.manual_seed(0)
first = 1 if sys.argv[1] == "1" else 0
y = torch.randint(first, first + 4, (120,))
if sys.argv[1] == "float":
    y = y.float()
x = torch.randn(120, 5)
net = nn.Linear(5, 4)
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(3):
    for xb, yb in zip(x.split(30), y.split(30)):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        sgd.step()
