# expects: D104 bug line 12
# silent: D101, D102, D103, D105, D106, D107, D108
# The optimizer has only what forward does not use.
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.extra = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x).relu())


torch.manual_seed(7)
net = Net()
optimizer = torch.optim.SGD(net.extra.parameters(), lr=0.1)
for i in range(10):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
