# arguments: 1 | expects: D308 note line 15
# arguments: 100 | expects: D308 bug line 15 | at most: D701 bug
# Softmax regression by hand; how large the inputs are decides whether the exponentials stay finite.
import sys

import torch

torch.manual_seed(0)
y = torch.randint(0, 3, (90,))
x = (torch.randn(3, 5)[y] * 2 + torch.randn(90, 5)) * float(sys.argv[1])
W = torch.randn(5, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
for step in range(30):
    scores = x @ W + b
    e = torch.exp(scores)
    p = e / e.sum(dim=1, keepdim=True)
    loss = -torch.log(p[torch.arange(90), y]).mean()
    loss.backward()
    with torch.no_grad():
        W -= 0.01 * W.grad
        b -= 0.01 * b.grad
    W.grad = b.grad = None
print(loss.item())
