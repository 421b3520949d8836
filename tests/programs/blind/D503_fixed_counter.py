# silent: D503
"""Word order: is the three-word sentence right way round? Averages are kept by a small helper."""

import torch
from torch import nn


class Average:
    def __init__(self):
        self.total = 0.0
        self.count = 0

    def add(self, value):
        self.total += value
        self.count += 1

    def reset(self):
        self.total = 0.0
        self.count = 0

    @property
    def value(self):
        return self.total / self.count


def sentences(n):
    subject = torch.randint(0, 5, (n,))
    verb = torch.randint(5, 9, (n,))
    thing = torch.randint(9, 14, (n,))
    right = torch.rand(n) < 0.5
    good = torch.stack([subject, verb, thing], dim=1)
    return torch.where(right[:, None], good, good.flip(1)), right.float()


def main():
    torch.manual_seed(133)
    words, right = sentences(240)
    net = nn.Sequential(nn.Embedding(14, 6), nn.Flatten(), nn.Linear(18, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    average = Average()
    for epoch in range(6):
        average.reset()
        for rows in torch.randperm(240).split(24):
            loss = nn.functional.binary_cross_entropy_with_logits(net(words[rows]), right[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.add(loss.item())
        print(f"epoch {epoch}: average loss {average.value:.5f}")


main()
