# silent: D101, D102, D103, D109, D110, D111
# The gradient of each example is clipped for itself; the loop adds them up.
import torch
from torch import nn

torch.manual_seed(3)
x = torch.randn(60, 4)
y = x.sum(1, keepdim=True)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(12):
    total = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for row in range(4):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[4 * step + row][None]), y[4 * step + row][None]).backward()
        length = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm()
        for kept, parameter in zip(total, model.parameters(), strict=True):
            kept += parameter.grad / length.clamp(min=1.0)
    for kept, parameter in zip(total, model.parameters(), strict=True):
        parameter.grad = kept / 4
    optimizer.step()
