# arguments: behind | expects: D304 likely line 16
# arguments: before | silent: D304
# A layer norm over the single output: it takes the output away from itself.
import sys

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 16), nn.Linear(16, 1)
        self.norm = nn.LayerNorm(1 if sys.argv[1] == "behind" else 16)

    def forward(self, x): return self.norm(self.b(torch.relu(self.a(x)))) if sys.argv[1] == "behind" else self.b(self.norm(torch.relu(self.a(x))))


torch.manual_seed(0)
x = torch.randn(100, 4)
y = x[:, :1] - 2 * x[:, 1:2]
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(40):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
print(loss.item())
