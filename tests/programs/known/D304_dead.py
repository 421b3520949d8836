# arguments: dead | expects: D304 bug line 16
# arguments: alive | silent: D304
# A ReLU behind the last layer that is 0 for every row: nothing comes through it.
import sys

import torch

torch.manual_seed(0)
x = torch.rand(80, 3)
y = 1 + x @ torch.tensor([1.0, 2.0, 3.0])
w = torch.full((3,), -1.0 if sys.argv[1] == "dead" else 1.0, requires_grad=True)
b = torch.full((1,), -0.5, requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.05)
for step in range(30):
    optimizer.zero_grad()
    prediction = (x @ w + b).relu()
    loss = (prediction - y).square().mean()
    loss.backward()
    optimizer.step()
print(loss.item())
