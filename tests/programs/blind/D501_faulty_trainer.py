# expects: D501 bug line 46
"""Churn prediction: which customers leave? Dropout keeps the small network from memorising the 300 customers."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ChurnNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, 2),
        )

    def forward(self, rows):
        return self.layers(rows)


class Trainer:
    def __init__(self, model, train_loader, valid_loader):
        self.model = model
        self.train_loader = train_loader
        self.valid_loader = valid_loader
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        self.loss = nn.CrossEntropyLoss()

    def train_one_epoch(self):
        self.model.train()
        for rows, leaves in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.loss(self.model(rows), leaves)
            loss.backward()
            self.optimizer.step()

    def validate(self):
        right = count = 0
        with torch.no_grad():
            for rows, leaves in self.valid_loader:
                guess = self.model(rows).argmax(dim=1)
                right += (guess == leaves).sum().item()
                count += len(leaves)
        return right / count


def customers(seed, n):
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, 8, generator=g)
    return TensorDataset(rows, (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0).long())


torch.manual_seed(100)
trainer = Trainer(
    ChurnNet(),
    DataLoader(customers(1, 300), batch_size=30, shuffle=True),
    DataLoader(customers(2, 100), batch_size=50),
)
for epoch in range(6):
    trainer.train_one_epoch()
    print(f"epoch {epoch}: validation accuracy {trainer.validate():.3f}")
