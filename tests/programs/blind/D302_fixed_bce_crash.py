# silent: D302
# Spam filter over 12 hashed word counts.
import torch
from torch import nn

torch.manual_seed(0)
counts = torch.poisson(torch.full((300, 12), 0.8))
spam = ((counts[:, 0] + counts[:, 3] - counts[:, 7]) > 1).float()

filter_net = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0), nn.Sigmoid())
bce = nn.BCELoss()
opt = torch.optim.Adam(filter_net.parameters())

for epoch in range(5):
    for rows in torch.randperm(300).split(60):
        opt.zero_grad()
        loss = bce(filter_net(counts[rows]), spam[rows])
        loss.backward()
        opt.step()
print("done")
