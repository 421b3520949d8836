# silent: D201 D202 D203 D204 D205
"""A line through points, on bare tensors; the targets are a column."""

import torch

torch.manual_seed(0)
x = torch.linspace(-1, 1, 50)
y = (3 * x + 1 + 0.05 * torch.randn(50)).reshape(-1, 1)
w = torch.zeros((), requires_grad=True)
b = torch.zeros((), requires_grad=True)
for step in range(40):
    loss = torch.nn.functional.l1_loss(w * x + b, y[:, 0])
    loss.backward()
    with torch.no_grad():
        for parameter in (w, b):
            parameter -= 0.1 * parameter.grad
            parameter.grad = None
