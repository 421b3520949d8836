# at most: D111 note
# silent: D101, D102, D103, D109, D110
# Summed over rows, as a likelihood is.
import torch
from torch import nn

torch.manual_seed(3)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
for i in range(12):
    optimizer.zero_grad()
    for _ in range(4):
        x = torch.randn(10, 3)
        nn.functional.mse_loss(model(x).squeeze(1), x.sum(1), reduction="sum").backward()
    optimizer.step()
