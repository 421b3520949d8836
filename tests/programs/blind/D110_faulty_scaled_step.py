# expects: D110 bug line 21
"""Mixed precision on a small multilayer perceptron."""

import torch
from torch import nn


def main():
    torch.manual_seed(12)
    x = torch.randn(256, 10)
    y = x[:, :4].argmax(dim=1)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for epoch in range(5):
        for rows in torch.randperm(256).split(64):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            scaler.scale(loss).backward()
            optimizer.step()
        print(epoch, loss.item())


main()
