# silent: D101, D102, D103, D104, D105, D106, D107, D108
# A copy of the model learns each task by hand, and is thrown away.
import copy

import torch
from torch import nn

torch.manual_seed(20)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for task in range(8):
    x = torch.randn(20, 3)
    y = x @ torch.randn(3, 1)
    fast = copy.deepcopy(model)
    inner = torch.optim.SGD(fast.parameters(), lr=0.1)
    for i in range(3):
        inner.zero_grad()
        nn.functional.mse_loss(fast(x), y).backward()
        inner.step()
    for slow, new in zip(model.parameters(), fast.parameters()):
        slow.grad = (slow - new).detach()
    optimizer.step()
