# silent: D401
"""Two models and three updates take each batch before the next one comes, in a new order in every epoch."""

import torch
from torch import nn

torch.manual_seed(5)
x = torch.randn(256, 5)
y = (x @ torch.randn(5, 1) > 0).float()
models = nn.Linear(5, 1), nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
optimizers = [torch.optim.SGD(model.parameters(), lr=0.05) for model in models]
for epoch in range(4):
    for rows in torch.randperm(256).split(64):
        xb, yb = x[rows], y[rows]
        for model, optimizer in (*zip(models, optimizers), (models[0], optimizers[0])):
            loss = nn.functional.binary_cross_entropy_with_logits(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
