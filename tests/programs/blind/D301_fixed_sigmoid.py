# silent: D301
# will the parcel arrive late? distance (km), weight (kg), weekday -> yes / no
import torch
from torch import nn
import torch.nn.functional as F


class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 12)
        self.b = nn.Linear(12, 1)

    def forward(self, t):
        t = F.relu(self.a(t))
        return torch.sigmoid(self.b(t)).squeeze(1)


def parcels(n):
    g = torch.Generator().manual_seed(77)
    distance = 900 * torch.rand(n, generator=g)
    weight = 20 * torch.rand(n, generator=g)
    weekday = torch.randint(0, 7, (n,), generator=g).float()
    score = 0.006 * (distance - 450) + 0.1 * (weight - 10) + 0.8 * (weekday == 4)
    late = (score + 0.4 * torch.randn(n, generator=g) > 0).float()
    table = torch.stack([distance / 900, weight / 20, weekday / 6], dim=1)
    return table, late


def main():
    torch.manual_seed(1)
    table, late = parcels(400)
    net = Late()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(8):
        for rows in torch.randperm(400).split(50):
            opt.zero_grad()
            p = net(table[rows])
            loss = F.binary_cross_entropy(p, late[rows])
            loss.backward()
            opt.step()
    with torch.no_grad():
        final = net(table)
        print("share right:", ((final > 0.5) == (late > 0.5)).float().mean().item())


if __name__ == "__main__":
    main()
