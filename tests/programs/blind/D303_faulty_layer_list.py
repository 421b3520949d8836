# expects: D303 likely line 23
from dataclasses import dataclass, field

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Settings:
    sizes: list = field(default_factory=lambda: [6, 40, 40, 1])
    steps: int = 120
    lr: float = 0.05


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


def train(s: Settings):
    torch.manual_seed(14)
    patients = torch.randn(220, 6)
    ill = (patients[:, 0] * patients[:, 1] + patients[:, 2] > 0).float()
    net = MLP(s.sizes)
    with torch.no_grad():
        net.layers[-1].bias.fill_(0.3)
    opt = torch.optim.SGD(net.parameters(), lr=s.lr, momentum=0.9)
    for step in range(s.steps):
        batch = torch.randperm(220)[:110]
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(patients[batch]).squeeze(-1), ill[batch])
        loss.backward()
        opt.step()
    return net, patients, ill


net, patients, ill = train(Settings())
with torch.no_grad():
    print("found ill:", (net(patients).squeeze(-1) > 0).sum().item(), "really ill:", int(ill.sum()))
