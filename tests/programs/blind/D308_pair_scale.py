# arguments: faulty | expects: D308 bug line 11 | at most: D701 bug
# arguments: clean | at most: D308 note
"""Kind of stone from four lab values. One lab reports ppm, the other standardised values."""

import sys

import torch


def log_softmax(scores):
    return scores - scores.exp().sum(1, keepdim=True).log()


def stones(variant, n=180):
    g = torch.Generator().manual_seed(70)
    kind = torch.randint(0, 3, (n,), generator=g)
    ppm = torch.tensor([[900.0, 300.0, 40.0, 5.0], [500.0, 700.0, 90.0, 9.0], [700.0, 100.0, 60.0, 2.0]])[kind]
    ppm = ppm * (1 + 0.05 * torch.randn(n, 4, generator=g))
    if variant == "clean":
        ppm = (ppm - ppm.mean(0)) / ppm.std(0)
    return ppm, kind


def train(values, kind, lr=0.1, steps=60):
    torch.manual_seed(70)
    weights = torch.zeros(4, 3, requires_grad=True)
    bias = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([weights, bias], lr=lr)
    for _ in range(steps):
        rows = torch.randperm(len(kind))[:60]
        loss = -log_softmax(values[rows] @ weights + bias).gather(1, kind[rows, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


print("last loss", train(*stones(sys.argv[1])))
