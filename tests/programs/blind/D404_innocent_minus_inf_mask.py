# silent: D404
"""A tiny causal attention model that copies the previous letter; the future is masked with -inf."""

import math

import torch
from torch import nn


class Copier(nn.Module):
    def __init__(self, letters=6, d=16, length=10):
        super().__init__()
        self.tok = nn.Embedding(letters, d)
        self.pos = nn.Parameter(0.1 * torch.randn(length, d))
        self.qkv = nn.Linear(d, 3 * d)
        self.head = nn.Linear(d, letters)
        self.register_buffer("mask", torch.full((length, length), -math.inf).triu(1))

    def forward(self, ids):
        h = self.tok(ids) + self.pos
        q, k, v = self.qkv(h).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + self.mask
        return self.head(scores.softmax(-1) @ v)


torch.manual_seed(8)
model = Copier()
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(60):
    ids = torch.randint(0, 6, (32, 10))
    logits = model(ids)[:, 1:]
    loss = nn.functional.cross_entropy(logits.reshape(-1, 6), ids[:, :-1].reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 19:
        print(step + 1, round(loss.item(), 3))
