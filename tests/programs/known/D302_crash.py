# arguments: raw | expects: D302 bug line 19 | exits: 1
# arguments: squashed | silent: D302
# Binary cross-entropy of raw scores: PyTorch ends the program.
import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 3)
y = (x.sum(1, keepdim=True) > 0).float()
net = nn.Linear(3, 1)
sgd = torch.optim.SGD(net.parameters(), lr=0.5)
for step in range(20):
    out = net(x)
    if sys.argv[1] == "squashed":
        out = torch.sigmoid(out)
    sgd.zero_grad()
    loss = nn.BCELoss()(out, y)
    loss.backward()
    sgd.step()
