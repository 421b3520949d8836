# expects: D202 likely line 17
"""Attention by hand: the heads are split off with the elements of the sequence in the wrong place."""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width=12, heads=3):
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, 2)

    def split(self, x):
        batch, length, _ = x.shape
        return x.reshape(batch, self.heads, length, self.each)

    def forward(self, x):
        q, k, v = map(self.split, self.qkv(x).chunk(3, dim=-1))
        scores = (q @ k.transpose(-2, -1) / self.each**0.5).softmax(-1)
        return self.out((scores @ v).transpose(1, 2).flatten(2).mean(1))


torch.manual_seed(9)
x = torch.randn(16, 5, 12)
y = (x[:, 0, 0] > 0).long()
model = Attention()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(12):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
