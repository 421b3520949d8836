# silent: D202
"""Is the sequence rising or falling? A GRU reads it, a linear layer sees all its states."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LENGTH, HIDDEN = 6, 8


class Direction(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, HIDDEN)
        self.head = nn.Linear(LENGTH * HIDDEN, 2)

    def forward(self, x):
        batch = x.shape[0]
        states, _ = self.gru(x.permute(1, 0, 2))
        states = states.transpose(0, 1).reshape(batch, LENGTH * HIDDEN)
        return self.head(states)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)

    def epoch(self, loader):
        correct = 0
        for x, y in loader:
            scores = self.model(x)
            loss = nn.functional.cross_entropy(scores, y)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            correct += (scores.argmax(1) == y).sum().item()
        return correct / len(loader.dataset)


def main():
    torch.manual_seed(4)
    rising = torch.randint(0, 2, (240,))
    slope = torch.where(rising == 1, 1.0, -1.0)[:, None] * torch.linspace(-1, 1, LENGTH)
    x = (slope + 0.2 * torch.randn(240, LENGTH)).unsqueeze(2)
    loader = DataLoader(TensorDataset(x, rising), batch_size=40, shuffle=True)
    trainer = Trainer(Direction(), lr=0.02)
    for epoch in range(6):
        print(f"epoch {epoch}: accuracy {trainer.epoch(loader):.2f}")


main()
