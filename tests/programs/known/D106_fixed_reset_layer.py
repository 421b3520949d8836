# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Experiment:
    def __init__(self, classes):
        self.net = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 10))
        self.net[2] = nn.Linear(12, classes)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1)

    def epoch(self, loader):
        for x, y in loader:
            loss = nn.functional.cross_entropy(self.net(x), y)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()


torch.manual_seed(1)
x = torch.randn(64, 4)
experiment = Experiment(classes=4)
for epoch in range(3):
    experiment.epoch(DataLoader(TensorDataset(x, x.argmax(1)), batch_size=16, shuffle=True))
