# expects: D201 bug line 8
import torch
from torch import nn


def log_loss(p, t):
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def main():
    torch.manual_seed(14)
    pressure = torch.randn(160, 4)
    broke = (pressure[:, 0] + pressure[:, 3] > 0.5).float()
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(8):
        for rows in torch.randperm(160).split(32):
            loss = log_loss(model(pressure[rows]), broke[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


main()
