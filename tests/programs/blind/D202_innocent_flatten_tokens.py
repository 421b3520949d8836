# silent: D202
"""Tiny language model; scores of all positions are flattened for the loss."""

import torch
from torch import nn

torch.manual_seed(0)
VOCAB, BATCH, LENGTH = 12, 16, 9
text = (torch.arange(600) * 5 + torch.arange(600) // 50) % VOCAB
model = nn.Sequential(nn.Embedding(VOCAB, 16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, VOCAB))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(60):
    at = torch.randint(0, 600 - LENGTH - 1, (BATCH,))
    chunk = torch.stack([text[i : i + LENGTH + 1] for i in at])
    scores = model(chunk[:, :-1])
    loss = nn.functional.cross_entropy(scores.view(-1, VOCAB), chunk[:, 1:].reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
