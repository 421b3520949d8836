# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(7)
x = torch.randn(40, 3)
y = x.sum(1, keepdim=True)
for fold in range(4):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    keep = torch.arange(40) % 4 != fold
    for i in range(5):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[keep]), y[keep]).backward()
        optimizer.step()
