# arguments: stuck
# expects: D407 note line 0
# arguments: pasted
# expects: D407 note line 0
# arguments: clean
# silent: D407 D404 D406
"""One script, three tables: a gauge that was stuck, a column pasted twice, and as it should be."""

import math
import sys

import torch

torch.manual_seed(1)
table = torch.randn(240, 5)
target = table @ torch.tensor([1.0, 0.5, -0.5, 0.2, 0.1])
if sys.argv[1] == "stuck":
    table[:, 3] = 21.5
elif sys.argv[1] == "pasted":
    table[:, 4] = table[:, 1]
w = (torch.randn(5) / math.sqrt(5)).requires_grad_()
b = torch.zeros(1, requires_grad=True)
for epoch in range(10):
    for at in torch.randperm(240).split(40):
        loss = (table[at] @ w + b - target[at]).square().mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p.sub_(0.001 * p.grad)
                p.grad.zero_()
print(loss.item())
