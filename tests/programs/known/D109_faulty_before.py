# expects: D109 likely line 12
# silent: D101, D102, D103, D110, D111
import torch
from torch import nn

torch.manual_seed(2)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
x = torch.randn(40, 3)
for epoch in range(5):
    scheduler.step()
    for xb in x.split(10):
        optimizer.zero_grad()
        (model(xb).squeeze(1) - xb.sum(1)).square().mean().backward()
        optimizer.step()
