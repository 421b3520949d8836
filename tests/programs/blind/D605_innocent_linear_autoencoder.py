# at most: D605 note
"""Principal axes by a linear autoencoder: no activation on purpose, the code is narrow."""

import torch
from torch import nn


def main():
    torch.manual_seed(57)
    hidden = torch.randn(300, 2)
    x = hidden @ torch.randn(2, 12) / 1.4 + 0.1 * torch.randn(300, 12)
    encode, decode = nn.Linear(12, 2), nn.Linear(2, 12)
    opt = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=0.02)
    for step in range(150):
        loss = (decode(encode(x)) - x).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 50 == 49:
            print(step + 1, loss.item())


main()
