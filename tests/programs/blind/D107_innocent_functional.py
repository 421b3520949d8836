# silent: D107
"""Purely functional training: parameters in, parameters out."""

import torch
from torch import nn
from torch.func import functional_call, grad_and_value

torch.manual_seed(3)
model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
x = torch.randn(120, 3)
y = torch.sin(x).sum(dim=1, keepdim=True)
params = {name: p.detach() for name, p in model.named_parameters()}


def loss_fn(params, x, y):
    return ((functional_call(model, params, (x,)) - y) ** 2).mean()


step = grad_and_value(loss_fn)
for i in range(40):
    grads, loss = step(params, x, y)
    params = {name: p - 0.05 * grads[name] for name, p in params.items()}
    if i % 10 == 0:
        print(i, loss.item())
