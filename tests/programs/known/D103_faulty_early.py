# expects: D103 bug line 18
# silent: D101, D102, D104, D105, D106, D107, D108
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Learner:
    def __init__(self):
        self.net = nn.Linear(4, 3)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)

    def run(self, loader):
        for x, y in loader:
            self.opt.zero_grad()
            out = self.net(x)
            loss = nn.functional.cross_entropy(out, y)
            self.opt.step()
            loss.backward()


torch.manual_seed(6)
x = torch.randn(128, 4)
y = x[:, :3].argmax(1)
learner = Learner()
for epoch in range(2):
    learner.run(DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True))
