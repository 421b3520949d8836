# expects: D701 bug line 20
# Distances between pairs: at step 40 a pair of equal points comes, and the slope of a root at 0 is infinite.
import torch
from torch import nn


class Embed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 2)

    def forward(self, a, b):
        return self.lin(a), self.lin(b)


torch.manual_seed(0)
net = Embed()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
def distance(p, q, small=0.0):
    return torch.sqrt(((p - q) ** 2).sum(dim=1) + small)
for step in range(60):
    a, b = torch.randn(10, 4), torch.randn(10, 4)
    if step == 40:
        b[3] = a[3]
    loss = (distance(*net(a, b)) - 1.0).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
