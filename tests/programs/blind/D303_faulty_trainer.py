# expects: D303 likely line 41
"""Guess the language of a word from its letters (made-up languages, made-up words)."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LETTERS = "abcdefghijklmnopqrstuvwxyz"
STYLES = ["aeiouln", "ktrzsxa", "moahwei", "pbdguyo"]


class Words(Dataset):
    def __init__(self, n):
        rng = random.Random(5)
        self.items = []
        for _ in range(n):
            style = rng.randrange(len(STYLES))
            pool = STYLES[style] * 3 + LETTERS
            word = [LETTERS.index(rng.choice(pool)) for _ in range(7)]
            self.items.append((torch.tensor(word), style))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class WordNet(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), dim)
        self.hidden = nn.Linear(dim, 32)
        self.classify = nn.Linear(32, len(STYLES))

    def forward(self, word):
        mean = self.embedding(word).mean(dim=1)
        hidden = torch.tanh(self.hidden(mean))
        return torch.tanh(self.classify(hidden))


class WordTrainer:
    def __init__(self):
        self.network = WordNet()
        self.objective = nn.CrossEntropyLoss()
        self.adam = torch.optim.Adam(self.network.parameters(), lr=0.01)
        self.loader = DataLoader(Words(300), batch_size=50, shuffle=True)

    def train(self, epochs):
        for epoch in range(1, epochs + 1):
            right = 0
            for words, styles in self.loader:
                out = self.network(words)
                loss = self.objective(out, styles)
                self.adam.zero_grad()
                loss.backward()
                self.adam.step()
                right += (out.argmax(dim=1) == styles).sum().item()
            print(f"epoch {epoch}: {right} of {len(self.loader.dataset)} right while training")


torch.manual_seed(9)
WordTrainer().train(epochs=8)
