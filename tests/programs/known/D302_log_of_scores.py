# arguments: raw | expects: D302 bug line 17 | at most: D701 bug
# arguments: softmax | silent: D302
# Cross-entropy by hand without the softmax.
import sys

import torch

torch.manual_seed(0)
y = torch.randint(0, 3, (60,))
x = torch.randn(3, 4)[y] * 2 + torch.randn(60, 4)
w = torch.randn(4, 3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for step in range(10):
    p = x @ w
    if sys.argv[1] == "softmax":
        p = p.softmax(dim=1)
    loss = -torch.log(p)[range(60), y].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
