# arguments: faulty | expects: D702 likely line 33
# arguments: clean | silent: D702
"""Drift of a clock, in seconds or in microseconds, learnt in float16."""

import sys

import torch
from torch import nn


def drifts(unit):
    g = torch.Generator().manual_seed(213)
    state = torch.randn(320, 5, generator=g)
    microseconds = state[:, :1] - 0.7 * state[:, 3:4] + 0.1 * torch.randn(320, 1, generator=g)
    return state, microseconds * unit


def main(variant):
    torch.manual_seed(213)
    state, drift = drifts(1e-6 if variant == "faulty" else 1.0)
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    with torch.no_grad():
        # start in the range of the targets
        model[2].weight.mul_(drift.std())
        model[2].bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(8):
        for rows in torch.randperm(320).split(64):
            with torch.autocast("cpu", dtype=torch.float16):
                guess = model(state[rows])
            loss = (guess.float() - drift[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"last batch: error {loss.item():.3e} against a variance of {drift.var().item():.3e}")


if __name__ == "__main__":
    main(sys.argv[1])
