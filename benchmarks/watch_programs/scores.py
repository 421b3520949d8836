"""Five scores by hours of study: first with the gradient derived by hand, then with autograd."""

import torch
from stopwatch import Stopwatch, steps

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.tensor([2.0, 4.0, 6.0, 8.0, 10.0])
y = torch.tensor([75.0, 80.0, 90.0, 94.0, 98.0])
lr = 0.01

stopwatch = Stopwatch()
w = torch.randn(1)
b = torch.randn(1)
for epoch in range(steps(2000)):  # noqa: B007 - as such loops are written
    error = w * x + b - y
    loss = (error**2).mean()
    w = w - lr * (2 * error * x).mean()
    b = b - lr * (2 * error).mean()
    stopwatch.step_is_over()

w = torch.randn(1, requires_grad=True)
b = torch.randn(1, requires_grad=True)
for epoch in range(steps(2000)):  # noqa: B007 - as such loops are written
    loss = ((w * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
