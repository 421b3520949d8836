# arguments: Softmax | expects: D302 bug line 23
# arguments: LogSoftmax | silent: D302
# NLLLoss behind a module that ends in one or the other.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3))
        self.last = last(dim=1)

    def forward(self, x): return self.last(self.body(x))


def train(model, loader):
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.1), nn.NLLLoss()
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


torch.manual_seed(1)
y = torch.randint(0, 3, (400,))
x = torch.randn(3, 5)[y] * 2 + torch.randn(400, 5)
model = Classifier(getattr(nn, sys.argv[1]))
for epoch in range(3):
    print(train(model, DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)))
