# arguments: ids | expects: D306 likely line 23
# arguments: one_hot | silent: D306
# arguments: classes | silent: D306
# A trainer class whose loss is the squared error of digits.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, n):
        self.y = torch.randint(0, 10, (n,))
        self.x = torch.randn(10, 12, generator=torch.Generator().manual_seed(1))[self.y] + 0.5 * torch.randn(n, 12)

    def __len__(self): return len(self.y)
    def __getitem__(self, n): return self.x[n], self.y[n]


def loss_of(out, y):
    if sys.argv[1] == "ids":
        return nn.functional.mse_loss(out.flatten(), y.to(torch.float32))
    if sys.argv[1] == "one_hot":
        return nn.functional.mse_loss(out, nn.functional.one_hot(y, 10).float())
    return nn.functional.cross_entropy(out, y)


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1 if sys.argv[1] == "ids" else 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for epoch in range(3):
    for x, y in DataLoader(Digits(400), batch_size=40, shuffle=True):
        loss = loss_of(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
