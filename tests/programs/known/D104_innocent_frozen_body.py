# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(4)
body = nn.Sequential(nn.Linear(5, 8), nn.ReLU())
for p in body.parameters():
    p.requires_grad_(False)
model = nn.Sequential(body, nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for i in range(15):
    x = torch.randn(16, 5)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
