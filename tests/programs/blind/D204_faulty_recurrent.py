# expects: D204 likely line 16
"""Does the sequence start with a positive number? An LSTM has to remember it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Remember(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1, :]).squeeze(1)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        self.criterion = nn.BCEWithLogitsLoss()

    def run_epoch(self, loader):
        right = 0
        for x, y in loader:
            logit = self.model(x)
            loss = self.criterion(logit, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            right += ((logit > 0) == (y > 0.5)).sum().item()
        return right / len(loader.dataset)


torch.manual_seed(0)
sequences = torch.randn(320, 5, 1)
starts_positive = (sequences[:, 0, 0] > 0).float()
loader = DataLoader(TensorDataset(sequences, starts_positive), batch_size=32, shuffle=True)
trainer = Trainer(Remember())
for epoch in range(8):
    print(epoch, trainer.run_epoch(loader))
