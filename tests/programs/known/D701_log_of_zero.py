# arguments: empty | expects: D701 bug line 17 | at most: D404 bug
# arguments: full | silent: D701
# Shares of words in documents: one of them has a word that is missing.
import sys

import torch

torch.manual_seed(0)
counts = torch.randint(1, 9, (40, 5)).float()
if sys.argv[1] == "empty":
    counts[30, 2] = 0.0
weight = torch.randn(5, 1, requires_grad=True)
y = torch.randn(40, 1)
sgd = torch.optim.SGD([weight], lr=0.01)
for epoch in range(2):
    for rows in torch.arange(40).split(8):
        guess = (counts[rows] / counts[rows].sum(1, keepdim=True)).log() @ weight
        loss = (guess - y[rows]).square().mean()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
