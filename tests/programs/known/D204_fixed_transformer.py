# silent: D201 D202 D203 D204 D205
"""A transformer layer on examples-first tokens, in a function."""

import torch
from torch import nn

torch.manual_seed(22)
tokens = torch.randint(0, 20, (32, 6))
kind = (tokens[:, 0] > 9).long()
embed = nn.Embedding(20, 8)
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
head = nn.Linear(8, 2)
optimizer = torch.optim.Adam([*embed.parameters(), *layer.parameters(), *head.parameters()], lr=0.005)


def scores(t):
    return head(layer(embed(t)).mean(1))


for step in range(12):
    loss = nn.functional.cross_entropy(scores(tokens), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
