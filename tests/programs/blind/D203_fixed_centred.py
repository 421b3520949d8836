# silent: D203
import torch
import torch.nn as nn
import torch.nn.functional as F


class Centred(nn.Module):
    """Removes the level of a curve before looking at its form."""

    def __init__(self, points, classes):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(points, 20), nn.Linear(20, 20)])
        self.out = nn.Linear(20, classes)

    def forward(self, curve):
        h = curve - curve.mean(dim=1, keepdim=True)
        for layer in self.hidden:
            h = F.elu(layer(h))
        return self.out(h)


def curves(n, seed):
    g = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, 16)
    kind = torch.randint(0, 2, (n,), generator=g)
    form = torch.stack([torch.sin(6.28 * t), torch.cos(6.28 * t)])[kind]
    return form + 2 * torch.randn(n, 1, generator=g) + 0.2 * torch.randn(n, 16, generator=g), kind


def main():
    torch.manual_seed(0)
    x, y = curves(200, 1)
    x_test, y_test = curves(50, 2)
    net = Centred(16, 2)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(5):
        net.train()
        for idx in torch.randperm(len(x)).split(20):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[idx]), y[idx])
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            hits = (net(x_test).argmax(1) == y_test).float().mean()
        print(epoch, loss.item(), hits.item())


main()
