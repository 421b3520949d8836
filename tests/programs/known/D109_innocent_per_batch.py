# silent: D101, D102, D103, D109, D110, D111
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

torch.manual_seed(3)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
x = torch.randn(80, 3)
epochs, batches = 6, 8
warm = LinearLR(optimizer, start_factor=0.1, total_iters=batches)
fall = CosineAnnealingLR(optimizer, T_max=(epochs - 1) * batches)
scheduler = SequentialLR(optimizer, [warm, fall], milestones=[batches])
for epoch in range(epochs):
    for xb in x.split(10):
        optimizer.zero_grad()
        (model(xb).squeeze(1) - xb.sum(1)).square().mean().backward()
        optimizer.step()
        scheduler.step()
