# expects: D406 likely line 0
"""Is there a bump in the signal? Signals are stored kind by kind: first those without, then those with."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


def signals(each=300, width=20):
    g = torch.Generator().manual_seed(6)
    x = 0.5 * torch.randn(2 * each, width, generator=g)
    bump = torch.exp(-0.5 * ((torch.arange(width) - width / 2) / 2) ** 2)
    x[each:] += bump * torch.rand(each, 1, generator=g) * 2
    y = torch.cat([torch.zeros(each), torch.ones(each)])
    return TensorDataset(x, y)


class Detector(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.hidden = nn.Linear(width, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x))).squeeze(1)


class Trainer:
    def __init__(self, data):
        cut = int(0.8 * len(data))
        rows = list(range(len(data)))
        self.train_loader = DataLoader(Subset(data, rows[:cut]), batch_size=32, shuffle=True)
        self.val_loader = DataLoader(Subset(data, rows[cut:]), batch_size=60)
        self.model = Detector()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=5e-3)
        self.loss = nn.BCEWithLogitsLoss()

    def validate(self):
        self.model.eval()
        right = 0
        with torch.no_grad():
            for x, y in self.val_loader:
                right += ((self.model(x) > 0).float() == y).sum().item()
        return right / len(self.val_loader.dataset)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            for x, y in self.train_loader:
                self.opt.zero_grad()
                self.loss(self.model(x), y).backward()
                self.opt.step()
            print(f"epoch {epoch}: validation accuracy {self.validate():.3f}")


torch.manual_seed(0)
Trainer(signals()).fit(epochs=5)
