# expects: D401 likely line 24
"""Bare tensors, taken slice by slice from a table that is sorted by class."""

import math

import torch

torch.manual_seed(3)
per_class = 120
centres = torch.tensor([[0.0, 1.5], [1.3, -0.8], [-1.3, -0.8]])
x = torch.cat([centre + 0.7 * torch.randn(per_class, 2) for centre in centres])
y = torch.arange(3).repeat_interleave(per_class)
w = (torch.randn(2, 3) / math.sqrt(2)).requires_grad_()
b = torch.zeros(3, requires_grad=True)
lr, size = 0.2, 24


def log_softmax(scores):
    return scores - torch.logsumexp(scores, 1, keepdim=True)


for epoch in range(4):
    for start in range(0, len(x), size):
        xb, yb = x[start : start + size], y[start : start + size]
        loss = -log_softmax(xb @ w + b)[torch.arange(len(yb)), yb].mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= lr * p.grad
                p.grad = None
print(loss.item())
