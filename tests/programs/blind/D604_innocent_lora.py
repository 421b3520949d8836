# silent: D604
import math

import torch
from torch import nn


class LowRank(nn.Module):
    """A frozen linear layer with a trainable low-rank addition (B starts at zero)."""

    def __init__(self, base, rank=4):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


def main():
    torch.manual_seed(62)
    x = torch.randn(400, 12)
    old = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 4))
    with torch.no_grad():
        y = old(x) + 0.3 * torch.sin(x[:, :4])
    model = nn.Sequential(LowRank(old[0]), old[1], LowRank(old[2]))
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for epoch in range(6):
        total = 0.0
        for rows in torch.randperm(400).split(40):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() / 10
        print(f"epoch {epoch} loss {total:.5f}")


main()
