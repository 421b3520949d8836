# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(5)
body, head = nn.Linear(6, 8), nn.Linear(8, 2)
optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
for i in range(20):
    x = torch.randn(16, 6)
    loss = nn.functional.cross_entropy(head(body(x).relu()), (x[:, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
