# at most: D605 note
import torch
from torch import nn

# what do the features of a finished encoder know? its last layer is linear, and so is the probe
torch.manual_seed(20)
x = torch.randn(500, 8)
sign = (x[:, 0] > 0.2).long()
encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32))
for p in encoder.parameters():
    p.requires_grad_(False)
encoder.eval()
probe = nn.Linear(32, 2)
opt = torch.optim.Adam(probe.parameters(), lr=0.02)
for epoch in range(10):
    right = 0
    for rows in torch.randperm(500).split(50):
        out = probe(encoder(x[rows]))
        loss = nn.functional.cross_entropy(out, sign[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        right += (out.argmax(1) == sign[rows]).sum().item()
    print(epoch, right / 500)
