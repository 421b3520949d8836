# silent: D101, D102, D103, D104, D105, D106, D107, D108
# A scale is moved by hand; the optimizer has the rest, and a head for later.
import torch
from torch import nn

torch.manual_seed(8)
model, scale = nn.Linear(4, 1), nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(20):
    x = torch.randn(16, 4)
    loss = (scale * model(x).squeeze(1) - 3 * x.sum(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        scale -= 0.01 * scale.grad
        scale.grad = None
