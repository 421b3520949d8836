# arguments: signed | silent: D305
# arguments: zeros | expects: D305 bug line 15
# The logistic loss for targets of -1 and 1.
import sys

import torch

torch.manual_seed(0)
x = torch.randn(90, 3)
y = (x.sum(1) > 0).float()
y = 2 * y - 1 if sys.argv[1] == "signed" else y
w = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.2)
for step in range(30):
    loss = torch.nn.functional.soft_margin_loss(x @ w, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
