# silent: D201 D202 D203 D204 D205
"""Dropout made for images, after an embedding."""

import torch
from torch import nn


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 10)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(10, 2)

    def forward(self, tokens):
        return self.out(self.drop(self.embed(tokens)).mean(1))


torch.manual_seed(27)
tokens = torch.randint(0, 30, (36, 7))
labels = (tokens[:, 0] > 14).long()
model = Text()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(12):
    loss = nn.functional.cross_entropy(model(tokens), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
