# expects: D202 bug line 25
"""Two trainings, the second with two columns; the rows are taken in batches by number."""

import torch

torch.manual_seed(7)
speed = torch.rand(90) * 4
time = torch.rand(90) * 2
path = speed * 3 + time * 2


def train(x, y, columns, steps):
    w = torch.zeros(columns, requires_grad=True)
    for _ in range(steps):
        loss = (x @ w - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.03 * w.grad
            w.grad = None
    return w


train(speed.unsqueeze(1), path, 1, 40)
both = torch.stack((speed, time))
rows = both.reshape(90, 2)
train(rows, path, 2, 60)
