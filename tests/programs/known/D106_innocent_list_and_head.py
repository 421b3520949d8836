# silent: D101, D102, D103, D104, D105, D106, D107, D108
# Only the head is trained; the rest is left as it was drawn, whether it stands in a list or not.
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.random = [nn.Linear(8, 8), nn.Linear(8, 8)]
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.first(x).tanh()
        for layer in self.random:
            x = layer(x).tanh()
        return self.head(x)


torch.manual_seed(9)
net = Net()
optimizer = torch.optim.SGD(net.head.parameters(), lr=0.1)
for i in range(12):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
