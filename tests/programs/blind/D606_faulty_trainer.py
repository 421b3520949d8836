# expects: D606 likely line 19
"""Keep a running total of small numbers."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Counter(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.cell = nn.GRUCell(1, hidden)
        self.read = nn.Linear(hidden, 1)

    def forward(self, x):
        totals = []
        h = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], h)
            totals.append(self.read(state))
        return torch.stack(totals, dim=1)


class Trainer:
    def __init__(self, model):
        g = torch.Generator().manual_seed(8)
        x = torch.randn(320, 8, 1, generator=g) / 3
        self.loader = DataLoader(TensorDataset(x, x.cumsum(1)), batch_size=40, shuffle=True)
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        self.criterion = nn.MSELoss()

    def fit(self, epochs=6):
        for epoch in range(epochs):
            total = 0.0
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(x)
            print(f"epoch {epoch}: {total / 320:.4f}")


torch.manual_seed(0)
Trainer(Counter()).fit()
