# silent: D308
"""Softmax regression with the loss spelled out, scores shifted by their maximum first."""

import torch
from torch import nn


class SoftmaxLoss:
    def __call__(self, scores, labels):
        top = scores.amax(dim=1, keepdim=True)
        shifted = scores - top
        total = shifted.exp().sum(dim=1)
        right = shifted[torch.arange(len(labels)), labels]
        return (total.log() - right).mean()


torch.manual_seed(37)
x = 40 * torch.randn(200, 4)
y = (x @ torch.randn(4, 3)).argmax(1)
layer = nn.Linear(4, 3)
criterion = SoftmaxLoss()
sgd = torch.optim.SGD(layer.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(200).split(40):
        loss = criterion(layer(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
with torch.no_grad():
    print("accuracy", (layer(x).argmax(1) == y).float().mean().item(), "largest score", layer(x).max().item())
