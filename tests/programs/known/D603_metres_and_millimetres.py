# arguments: mm | expects: D603 likely line 21
# silent: D601
# arguments: m | silent: D603 D601
# Least squares on rooms: the same script with the width in millimetres or in metres.
import sys

import torch

torch.manual_seed(0)
floors = torch.randint(1, 5, (80, 1)).float() - 2.5
width = torch.randn(80, 1) * 1.2
price = 2.0 * floors + 1.5 * width + 0.1 * torch.randn(80, 1) + 3.0
if sys.argv[1] == "mm":
    width = width * 1000
rate = 2e-7 if sys.argv[1] == "mm" else 0.2
x = torch.cat([floors, width], dim=1)
w = torch.zeros(2, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
losses = []
for step in range(300):
    loss = (x @ w + b - price).pow(2).mean()
    losses.append(loss.item())
    loss.backward()
    for each in (w, b):
        each.data -= rate * each.grad
        each.grad.zero_()
print(losses[0], losses[-1])
