# expects: D106 bug line 14
# silent: D101, D102, D103, D104, D105, D107, D108
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(5, 8)

    def forward(self, x):
        h = self.encode(x).relu()
        return nn.Linear(8, 2)(h)


torch.manual_seed(3)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(20):
    x = torch.randn(16, 5)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
