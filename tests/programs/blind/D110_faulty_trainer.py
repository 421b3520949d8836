# expects: D110 bug line 31
"""A recurrent net sums up short sequences; clipping keeps it calm."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, TensorDataset


class Summer(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 16, batch_first=True)
        self.read = nn.Linear(16, 1)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.read(states[:, -1])


class Trainer:
    def __init__(self, model, max_norm=5.0):
        self.model, self.max_norm = model, max_norm
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(x), y)
                clip_grad_norm_(self.model.parameters(), self.max_norm)
                loss.backward()
                self.optimizer.step()
            print(epoch, loss.item())


torch.manual_seed(0)
x = torch.rand(200, 10, 1)
Trainer(Summer()).fit(DataLoader(TensorDataset(x, x.sum(1)), batch_size=40, shuffle=True), epochs=4)
