# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)

    def forward(self, x):
        h = self.inner(x).tanh()
        g = self.gate(x).sigmoid()
        return h * g


class Trainer:
    def __init__(self, model):
        self.model, self.optimizer = model, torch.optim.SGD(model.parameters(), lr=0.05)

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(x).squeeze(1), y)
            loss.backward()
            self.optimizer.step()


torch.manual_seed(1)
x = torch.randn(80, 6)
model = nn.Sequential(Block(6), nn.Linear(6, 1))
Trainer(model).train(DataLoader(TensorDataset(x, x.sum(1)), batch_size=8))
