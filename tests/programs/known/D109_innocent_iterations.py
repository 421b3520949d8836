# silent: D101, D102, D103, D109, D110, D111
# Counted in batches on purpose: three falls in all of the run.
import torch
from torch import nn

torch.manual_seed(4)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[60, 120, 150], gamma=0.1)
x = torch.randn(80, 3)
for epoch in range(20):
    for xb in x.split(10):
        optimizer.zero_grad()
        (model(xb).squeeze(1) - xb.sum(1)).square().mean().backward()
        optimizer.step()
        scheduler.step()
