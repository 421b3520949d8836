# expects: D104 bug line 9
# silent: D101, D102, D103, D105, D106, D107, D108
# Everything is frozen but the input.
import torch
from torch import nn

torch.manual_seed(8)
model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1)).requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(10):
    x = torch.randn(16, 3, requires_grad=True)
    optimizer.zero_grad()
    (model(x)[:, 0] - x.sum(1)).square().mean().backward()
    optimizer.step()
