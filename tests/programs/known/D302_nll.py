# arguments: scores | expects: D302 bug line 22
# arguments: probabilities | expects: D302 bug line 22
# arguments: logarithms | silent: D302
# nll_loss with each thing that people give to it.
import sys

import torch
from torch import nn

torch.manual_seed(0)
kind = sys.argv[1]
y = torch.randint(0, 4, (128,))
x = torch.randn(4, 6)[y] * 2 + torch.randn(128, 6)
net = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(30):
    out = net(x)
    if kind == "probabilities":
        out = nn.functional.softmax(out, dim=1)
    elif kind == "logarithms":
        out = nn.functional.log_softmax(out, dim=1)
    loss = nn.functional.nll_loss(out, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
