# silent: D604
# A last layer of zeros, an adapter whose second half is zero, norms of ones.
import torch
from torch import nn


class Adapted(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(10, 30)
        self.base.weight.requires_grad_(False)
        self.down = nn.Linear(10, 4, bias=False)
        self.up = nn.Linear(4, 30, bias=False)
        nn.init.zeros_(self.up.weight)
        self.norm = nn.LayerNorm(30)
        self.head = nn.Linear(30, 3)
        nn.init.zeros_(self.head.weight)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.base(x) + self.up(self.down(x)))))


torch.manual_seed(0)
net = Adapted()
x = torch.randn(150, 10)
y = torch.randint(0, 3, (150,))
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.01)
for _ in range(40):
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
