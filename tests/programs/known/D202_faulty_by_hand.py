# expects: D202 bug line 9
"""Gradients derived by hand, in batches, on data that lie feature by feature."""

import torch

torch.manual_seed(6)
raw = torch.rand(2, 64)
y = 4 * raw[0] - 3 * raw[1] + 0.05 * torch.randn(64)
x = torch.reshape(raw, (64, 2))
w = torch.zeros(2)
for step in range(80):
    error = x @ w - y
    loss = (error**2).mean()
    w = w - 0.1 * 2 / len(y) * (x.T @ error)
print(loss.item())
