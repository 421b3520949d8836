# silent: D103
"""Count the vowels of made-up words (letters as integers)."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

VOWELS = torch.tensor([0, 4, 8, 14, 20])


class VowelCounter(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.letters = nn.Embedding(26, width)
        self.score = nn.Linear(width, 1)

    def forward(self, word):
        return self.score(self.letters(word)).sum(dim=(1, 2))


class Experiment:
    def __init__(self, seed=0):
        torch.manual_seed(seed)
        words = torch.randint(0, 26, (300, 6))
        count = torch.isin(words, VOWELS).sum(1).float()
        self.train_data = DataLoader(TensorDataset(words, count), batch_size=30, shuffle=True)
        self.model = VowelCounter()
        self.optim = torch.optim.Adam(self.model.parameters(), lr=0.02)

    def one_epoch(self):
        losses = []
        for word, count in self.train_data:
            self.optim.zero_grad()
            guess = self.model(word)
            loss = torch.mean((guess - count) ** 2)
            loss.backward()
            self.optim.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def run(self, epochs=5):
        for epoch in range(epochs):
            print(epoch, f"{self.one_epoch():.3f}")


Experiment().run()
