# silent: D101, D102, D103, D104, D105, D107, D108, D110
# The gradients of a first pass are looked at and cleared on purpose; the update follows those of the second.
import torch
from torch import nn

torch.manual_seed(4)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(12):
    x = torch.randn(25, 3)
    y = x.sum(1, keepdim=True)
    nn.functional.mse_loss(model(x), y).backward()
    size = sum(float(p.grad.norm()) for p in model.parameters())
    optimizer.zero_grad()
    (nn.functional.mse_loss(model(x), y) / (1 + size)).backward()
    optimizer.step()
    optimizer.zero_grad()
