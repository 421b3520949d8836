# silent: D101, D102, D103, D109, D110, D111
# The gradients are divided before the step.
import torch
from torch import nn

torch.manual_seed(2)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(12):
    optimizer.zero_grad()
    for _ in range(4):
        x = torch.randn(10, 3)
        nn.functional.mse_loss(model(x).squeeze(1), x.sum(1)).backward()
    for p in model.parameters():
        p.grad /= 4
    optimizer.step()
