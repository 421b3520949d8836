# silent: D701
# Minus infinity in a mask and nan in the holes of a table are meant, and the loss never sees them.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(30, 6, 8)
table = torch.randn(30, 4)
table[table > 1.2] = torch.nan
y = torch.randn(30, 1)
ask, tell, last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(12, 1)
opt = torch.optim.Adam([*ask.parameters(), *tell.parameters(), *last.parameters()], lr=0.01)
ahead = torch.full((6, 6), float("-inf")).triu(1)
for _ in range(30):
    scores = ask(x) @ tell(x).transpose(1, 2) / 8**0.5 + ahead
    seen = torch.softmax(scores, dim=-1) @ x
    known = torch.where(torch.isnan(table), torch.zeros_like(table), table)
    loss = nn.functional.mse_loss(last(torch.cat([seen[:, -1], known], dim=1)), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
