# silent: D101, D102, D103, D109, D110, D111
# All rows in each step: a step is an epoch.
import torch
from torch import nn

torch.manual_seed(5)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.3)
x = torch.randn(80, 3)
for epoch in range(100):
    optimizer.zero_grad()
    (model(x).squeeze(1) - x.sum(1)).square().mean().backward()
    optimizer.step()
    scheduler.step()
