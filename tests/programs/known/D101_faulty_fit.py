# expects: D101 bug line 21
# silent: D102, D103, D104, D105, D106, D107, D108, D111
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Fitter:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            for x, y in loader:
                self.step(x, y)

    def step(self, x, y):
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()


torch.manual_seed(1)
x = torch.randn(96, 4)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
Fitter(model).fit(DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True), epochs=3)
