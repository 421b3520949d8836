# arguments: raw | expects: D304 bug line 18 | at most: D603 likely
# arguments: scaled | silent: D304
# Logistic regression on a table in its own units: with raw numbers the sigmoid is 1 for every row.
import sys

import torch

torch.manual_seed(0)
income = torch.rand(150) * 4e4 + 2e4
age = torch.rand(150) * 50 + 20
x = torch.stack([income, age], dim=1)
y = (income > 4e4).float()
if sys.argv[1] == "scaled":
    x = (x - x.mean(0)) / x.std(0)
w = torch.full((2,), 0.1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(30):
    p = torch.sigmoid(x @ w + b)
    loss = torch.nn.functional.binary_cross_entropy(p, y)
    loss.backward()
    with torch.no_grad():
        for t in (w, b):
            t -= 0.1 * t.grad
            t.grad.zero_()
print(loss.item())
