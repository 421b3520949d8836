# arguments: metres | silent: D307
# arguments: millimetres | expects: D307 note line 23
# Two targets, one network: the length in metres or in millimetres, beside a class.
import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 5)
length = 1.5 + 0.3 * x[:, 0] + 0.05 * torch.randn(200)
kind = (x[:, 1] > 0).long()
if sys.argv[1] == "millimetres":
    length = 1000 * length
body, a, b = nn.Linear(5, 16), nn.Linear(16, 1), nn.Linear(16, 2)
parameters = [*body.parameters(), *a.parameters(), *b.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)
for epoch in range(40):
    hidden = torch.relu(body(x))
    of_length = nn.functional.mse_loss(a(hidden).squeeze(1), length)
    of_kind = nn.functional.cross_entropy(b(hidden), kind)
    penalty = 1e-4 * sum(p.square().sum() for p in parameters)
    loss = of_length + of_kind + penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(of_length.item(), of_kind.item())
