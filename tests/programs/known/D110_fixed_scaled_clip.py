# silent: D101, D102, D103, D109, D110, D111
import torch
from torch import nn

torch.manual_seed(2)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu")
for i in range(15):
    x = torch.randn(20, 4)
    optimizer.zero_grad()
    loss = (model(x).squeeze(1) - x.sum(1)).square().mean()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
