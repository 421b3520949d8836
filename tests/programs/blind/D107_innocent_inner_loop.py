# silent: D107
"""Learn a starting point from which one gradient step fits any sine (updates are differentiated on purpose)."""

import torch
from torch import nn
from torch.func import functional_call, grad

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
meta = torch.optim.Adam(net.parameters(), lr=1e-3)


def task():
    phase = torch.rand(1) * 3.0
    x = torch.rand(20, 1) * 6 - 3
    return x, torch.sin(x + phase)


def fit(params, x, y):
    return nn.functional.mse_loss(functional_call(net, params, (x,)), y)


for it in range(30):
    meta.zero_grad()
    outer = 0.0
    for _ in range(4):
        x, y = task()
        params = dict(net.named_parameters())
        g = grad(fit)(params, x[:10], y[:10])
        adapted = {k: p - 0.05 * g[k] for k, p in params.items()}
        outer = outer + fit(adapted, x[10:], y[10:]) / 4
    outer.backward()
    meta.step()
    if it % 10 == 0:
        print(it, outer.item())
