# silent: D802
import torch
from torch import nn

# prints the loss now and then, and adds it up at every step (on the processor)
torch.manual_seed(28)
x = torch.randn(512, 200)
y = (x[:, :20].sum(1) > 0).long()
net = nn.Sequential(nn.Linear(200, 256), nn.ReLU(), nn.Linear(256, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
total = 0.0
for step in range(60):
    rows = torch.randint(0, 512, (128,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
    total += loss.item()
    if step % 20 == 19:
        print(f"{step + 1}: {total / 20:.4f}")
        total = 0.0
