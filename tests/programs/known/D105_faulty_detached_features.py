# expects: D105 likely line 15 | at most: D603 likely
# silent: D101, D102, D103, D104, D106, D107, D108
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(4, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        h = torch.relu(self.features(x))
        h = h.detach()
        return self.head(h)


torch.manual_seed(2)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for i in range(20):
    x = torch.randn(32, 4)
    optimizer.zero_grad()
    loss = (net(x).squeeze(1) - x[:, 0] * x[:, 1]).square().mean()
    loss.backward()
    optimizer.step()
