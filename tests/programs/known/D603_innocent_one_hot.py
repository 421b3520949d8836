# silent: D603
# Sparse one-hot columns beside standardised ones, and a vocabulary that is looked up.
import torch
from torch import nn

torch.manual_seed(0)
town = nn.functional.one_hot(torch.randint(0, 40, (300,)), 40).float()
size = torch.randn(300, 3)
word = torch.randint(0, 1000, (300,))
table = nn.Embedding(1000, 8)
line = nn.Linear(51, 1)
y = size.sum(1, keepdim=True)
optimizer = torch.optim.Adam([*table.parameters(), *line.parameters()], lr=0.02)
for _ in range(40):
    x = torch.cat([town, size, table(word)], dim=1)
    loss = nn.functional.mse_loss(line(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        pass
line2 = nn.Linear(43, 1)
optimizer = torch.optim.Adam(line2.parameters(), lr=0.02)
for _ in range(40):
    loss = nn.functional.mse_loss(line2(torch.cat([town, size], dim=1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
