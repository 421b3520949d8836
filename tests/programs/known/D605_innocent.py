# at most: D605 note
# silent: D604
# A linear autoencoder squeezes on purpose, and a probe stands on a frozen layer.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 12)
squeeze = nn.Sequential(nn.Linear(12, 3), nn.Linear(3, 12))
opt = torch.optim.Adam(squeeze.parameters(), lr=0.01)
for _ in range(25):
    opt.zero_grad()
    nn.functional.mse_loss(squeeze(x), x).backward()
    opt.step()

body = nn.Linear(12, 32)
body.requires_grad_(False)
probe = nn.Linear(32, 2)
labels = (x[:, 0] > 0).long()
opt = torch.optim.SGD(probe.parameters(), lr=0.1)
for _ in range(25):
    opt.zero_grad()
    nn.functional.cross_entropy(probe(body(x)), labels).backward()
    opt.step()
