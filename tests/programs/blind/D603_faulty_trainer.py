# expects: D603 likely line 0
"""Will the loan be paid back? Income in currency units, age in years, debt as a share."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def applicants(n, seed):
    g = torch.Generator().manual_seed(seed)
    income = 20000 + 60000 * torch.rand(n, generator=g)
    age = 20 + 50 * torch.rand(n, generator=g)
    debt = torch.rand(n, generator=g)
    score = (income - 50000) / 20000 + (age - 45) / 20 - 4 * (debt - 0.5) + 0.5 * torch.randn(n, generator=g)
    x = torch.stack([income, age, debt], dim=1)
    return x, (score > 0).float()


class LoanTrainer:
    def __init__(self, epochs=6):
        self.epochs = epochs
        x, y = applicants(600, 1)
        val_x, val_y = applicants(150, 2)
        self.train_loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
        self.val_loader = DataLoader(TensorDataset(val_x, val_y), batch_size=150)
        self.model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.loss_fn = nn.BCEWithLogitsLoss()

    def fit(self):
        for epoch in range(self.epochs):
            self.model.train()
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.loss_fn(self.model(x).squeeze(1), y)
                loss.backward()
                self.optimizer.step()
            print(f"epoch {epoch}: validation accuracy {self.validate():.3f}")

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        right = total = 0
        for x, y in self.val_loader:
            right += ((self.model(x).squeeze(1) > 0) == (y > 0.5)).sum().item()
            total += len(y)
        return right / total


torch.manual_seed(0)
LoanTrainer().fit()
