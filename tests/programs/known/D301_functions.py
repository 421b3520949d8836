# arguments: softmax | expects: D301 bug line 26
# arguments: scores | silent: D301
# Softmax regression on bare tensors; the model is a function.
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(0)


def model(x):
    z = x @ W + b
    if sys.argv[1] == "softmax":
        return torch.softmax(z, dim=1)
    return z


centres = torch.randn(3, 6) * 2
y = torch.randint(0, 3, (240,))
X = centres[y] + torch.randn(240, 6)
W = torch.zeros(6, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
for step in range(60):
    rows = torch.randint(0, 240, (48,))
    loss = F.cross_entropy(model(X[rows]), y[rows])
    loss.backward()
    with torch.no_grad():
        for p in (W, b):
            p -= 0.5 * p.grad
            p.grad = None
print(loss.item())
