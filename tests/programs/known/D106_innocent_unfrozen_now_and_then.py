# silent: D101, D102, D104, D105, D106, D107, D108
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 10)
y = (x[:, :3].sum(1) > 0).long()
body, head = nn.Sequential(nn.Linear(10, 32), nn.ReLU()), nn.Linear(32, 2)
model = nn.Sequential(body, head)
body.requires_grad_(False)
optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-2)
for epoch in range(6):
    for rows in torch.randperm(256).split(32):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    body.requires_grad_(True)  # which inputs matter, so far? Then it is left alone again
    F.cross_entropy(model(x), y).backward()
    print(body[0].weight.grad.norm().item())
    body.requires_grad_(False)
