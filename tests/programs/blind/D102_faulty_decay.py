# expects: D102 bug line 20
"""Predict tomorrow's temperature from the last seven days."""

import torch
from torch import nn


def weather(days=400):
    torch.manual_seed(20)
    t = torch.arange(days, dtype=torch.float32)
    return torch.sin(t / 29) + 0.1 * torch.randn(days)


def train(model, windows, nxt, epochs=6):
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for epoch in range(epochs):
        for i in torch.randperm(len(windows)).split(64):
            error = nn.functional.smooth_l1_loss(model(windows[i]), nxt[i])
            error.backward()
            model.zero_grad(set_to_none=False)
            sgd.step()
        print("epoch", epoch, "error", round(error.item(), 4))


if __name__ == "__main__":
    series = weather()
    windows = series.unfold(0, 7, 1)[:-1]
    nxt = series[7:].unsqueeze(1)
    train(nn.Sequential(nn.Linear(7, 16), nn.GELU(), nn.Linear(16, 1)), windows, nxt)
