# expects: D110 bug line 19
# silent: D101, D102, D103, D109, D111
import torch
from torch import nn
from torch.nn.utils import clip_grad_value_
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()
            clip_grad_value_(self.model.parameters(), 0.01)


torch.manual_seed(1)
x = torch.randn(96, 4)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
Trainer(model).train(DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8))
