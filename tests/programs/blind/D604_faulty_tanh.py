# expects: D604 likely line 15
import torch
from torch import nn


class TanhNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:]))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=3.0)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def main():
    torch.manual_seed(3)
    x = torch.randn(400, 30)
    y = (x[:, :15].sum(1) > x[:, 15:].sum(1)).long()
    net = TanhNet([30, 50, 50, 2])
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for epoch in range(8):
        total = 0.0
        for rows in torch.randperm(400).split(40):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item() / 10
        print(f"epoch {epoch} loss {total:.3f}")


main()
