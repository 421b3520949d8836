# silent: D203
"""Which of three directions does a vector point to? Its length must not matter."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DirectionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x):
        x = x / x.norm(dim=1, keepdim=True)
        return self.layers(x)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def train(self, loader):
        self.model.train()
        for x, y in loader:
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        return right / len(loader.dataset)


def make(n):
    y = torch.randint(0, 3, (n,))
    x = nn.functional.one_hot(y, 4).float() + 0.3 * torch.randn(n, 4)
    return TensorDataset(x * torch.rand(n, 1) * 5, y)


torch.manual_seed(1)
train, test = DataLoader(make(240), batch_size=30, shuffle=True), DataLoader(make(60), batch_size=10)
trainer = Trainer(DirectionNet())
for epoch in range(6):
    trainer.train(train)
    print(epoch, trainer.evaluate(test))
