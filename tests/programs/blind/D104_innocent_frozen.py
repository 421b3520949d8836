# silent: D104
import torch
from torch import nn

torch.manual_seed(1)
backbone = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
for p in backbone.parameters():
    p.requires_grad = False
head = nn.Linear(16, 4)
model = nn.Sequential(backbone, head)

x = torch.randn(200, 8)
y = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(5):
    for idx in torch.randperm(200).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
