# silent: D602
import os
import tempfile

import torch
from torch import nn, optim

torch.manual_seed(19)
x = torch.randn(400, 3)
y = x @ torch.tensor([[1.0], [0.5], [-1.0]]) + 0.2 * torch.randn(400, 1)


def build():
    return nn.Sequential(nn.Linear(3, 20), nn.ReLU(), nn.Linear(20, 1))


# an earlier training left a checkpoint
old = build()
opt = optim.Adam(old.parameters(), lr=0.02)
for _ in range(150):
    opt.zero_grad()
    nn.functional.mse_loss(old(x[:300]), y[:300]).backward()
    opt.step()
fd, checkpoint = tempfile.mkstemp(suffix=".pt")
os.close(fd)
torch.save(old.state_dict(), checkpoint)

# continue on the newest hundred rows, carefully
model = build()
model.load_state_dict(torch.load(checkpoint))
os.remove(checkpoint)
opt = optim.SGD(model.parameters(), lr=1e-4)
for i in range(40):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(x[300:]), y[300:])
    loss.backward()
    opt.step()
print("after continuing", loss.item())
