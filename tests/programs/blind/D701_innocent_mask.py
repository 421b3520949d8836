# silent: D701
"""One attention layer that may only look back: future places get a score of minus infinity before the softmax."""

import torch
from torch import nn
import torch.nn.functional as F


class LookBack(nn.Module):
    def __init__(self, symbols=6, width=16, length=8):
        super().__init__()
        self.symbol = nn.Embedding(symbols, width)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, symbols)
        self.register_buffer("future", torch.ones(length, length).triu(1).bool())

    def forward(self, tokens):
        h = self.symbol(tokens) + self.place
        q, k, v = self.qkv(h).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / k.shape[-1] ** 0.5
        scores = scores.masked_fill(self.future, float("-inf"))
        return self.out(h + scores.softmax(dim=-1) @ v)


torch.manual_seed(203)
start = torch.randint(0, 6, (128, 1))
sequence = (start + 2 * torch.arange(9)) % 6
model = LookBack()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
best = float("inf")
for epoch in range(8):
    for rows in torch.randperm(128).split(32):
        logits = model(sequence[rows, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), sequence[rows, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        best = min(best, loss.item())
print("lowest batch loss seen", best)
