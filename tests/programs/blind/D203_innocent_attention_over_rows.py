# silent: D203
"""The rows of a small table look at each other on purpose: every query row attends to all rows given with it."""

import torch
from torch import nn


class TableAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lift = nn.Linear(3, width)
        self.between_rows = nn.MultiheadAttention(width, num_heads=2, batch_first=True)
        self.out = nn.Linear(width, 1)

    def forward(self, rows):
        h = self.lift(rows).unsqueeze(0)  # the table is one sequence of rows
        mixed, _ = self.between_rows(h, h, h)
        return self.out((h + mixed).squeeze(0))


torch.manual_seed(0)
model = TableAttention(8)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(60):
    rows = torch.randn(16, 3)
    above_average = (rows[:, :1] - rows[:, :1].mean()).sign()
    loss = nn.functional.mse_loss(model(rows), above_average)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
model.eval()
with torch.no_grad():
    print(model(torch.randn(5, 3)).shape)
