# arguments: rounded | expects: D304 bug line 23
# arguments: plain | silent: D304
# A trainer that rounds predictions before the loss: the slope of a staircase is zero.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Fitter:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            self.loss(self.model(x), y).backward()
            self.optimizer.step()

    def loss(self, prediction, y):
        return nn.functional.mse_loss(prediction.round() if sys.argv[1] == "rounded" else prediction, y)


torch.manual_seed(0)
x = torch.randn(200, 3)
y = 5 * x.sum(1, keepdim=True) + torch.randn(200, 1)
fitter = Fitter(nn.Linear(3, 1))
for epoch in range(4):
    fitter.fit(DataLoader(TensorDataset(x, y), batch_size=20))
