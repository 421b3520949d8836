# arguments: minus | expects: D305 bug line 18
# arguments: plain | silent: D305
# arguments: padded | silent: D305
# The likelihood by hand: an id below zero picks from the end, unless a mask throws it away.
import sys

import torch

torch.manual_seed(0)
kind = sys.argv[1]
y = torch.randint(0, 4, (100,))
x = torch.randn(4, 6)[y] * 2 + torch.randn(100, 6)
y = y - 1 if kind == "minus" else torch.where(torch.rand(100) < 0.2, -1, y) if kind == "padded" else y
w = torch.zeros(6, 4, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.5)
for step in range(30):
    log_p = torch.log_softmax(x @ w, dim=1)
    picked = log_p[torch.arange(100), y]
    loss = -(picked * (y >= 0)).sum() / (y >= 0).sum() if kind == "padded" else -picked.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
