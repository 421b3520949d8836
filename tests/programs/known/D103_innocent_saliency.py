# silent: D101, D102, D103, D104, D105, D106, D107, D108
# Gradients of a model that is only looked at, and no optimizer.
import torch
from torch import nn

torch.manual_seed(8)
model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
for i in range(6):
    x = torch.randn(3, 5, requires_grad=True)
    model(x)[:, 1].sum().backward()
    print(x.grad.abs().mean(0))
    model.zero_grad()
