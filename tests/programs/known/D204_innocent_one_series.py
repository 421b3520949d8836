# silent: D201 D202 D203 D204 D205
"""One long series without a batch axis, then with one that holds a single series."""

import torch
from torch import nn

torch.manual_seed(25)
wave = torch.sin(torch.linspace(0, 12, 61)) + 0.05 * torch.randn(61)
x, y = wave[:-1].view(60, 1, 1), wave[1:]
rnn, head = nn.GRU(1, 8), nn.Linear(8, 1)
optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.02)
for step in range(10):
    states, _ = rnn(x)
    loss = nn.functional.mse_loss(head(states).view(-1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
