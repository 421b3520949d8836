# silent: D702
# Autocast in bfloat16: it has the exponent range of float32, so gradients need no scaling.
import torch
from torch import nn

torch.manual_seed(212)
load = torch.randn(256, 6)
bend = 1e-3 * torch.tanh(load[:, :1] - 0.5 * load[:, 1:2])
net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
nn.init.normal_(net[2].weight, std=1e-3)
nn.init.zeros_(net[2].bias)
opt = torch.optim.Adam(net.parameters(), lr=1e-4)
for epoch in range(6):
    for rows in torch.randperm(256).split(64):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(load[rows])
        loss = nn.functional.mse_loss(out.float(), bend[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
print(f"loss of the last batch {loss.item():.3e}")
