# expects: D202 likely line 16
"""A recurrent layer that is given time first, and whose outputs are flattened for the last layer."""

import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.reads = nn.GRU(4, 8)
        self.last = nn.Linear(7 * 8, 1)

    def forward(self, x):
        states, _ = self.reads(x)
        return self.last(states.reshape(30, -1)).squeeze(1)


torch.manual_seed(8)
series = torch.randn(7, 30, 4)
wanted = series[:, :, 0].sum(0)
reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=0.01)
for step in range(15):
    loss = nn.functional.mse_loss(reader(series), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
