# expects: D204 likely line 13
import torch
from torch import nn

torch.manual_seed(9)
points = torch.randn(150, 2)
sector = (points[:, 0] > 0).long() + (points[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.02)

for epoch in range(8):
    for rows in torch.randperm(150).split(25):
        prob = torch.softmax(net(points[rows]), dim=0)
        picked = prob[torch.arange(len(rows)), sector[rows]]
        loss = -torch.log(picked + 1e-9).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
