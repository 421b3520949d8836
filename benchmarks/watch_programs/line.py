"""A line through 100 points: one weight, one bias, autograd, updates by hand."""

import torch
from stopwatch import Stopwatch, steps

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.linspace(-1, 1, 100)
y = 2 * x + 0.5 + 0.1 * torch.randn(100)

w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1

stopwatch = Stopwatch()
for epoch in range(steps(2000)):  # noqa: B007 - as such loops are written
    loss = ((w * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad = None
    b.grad = None
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
