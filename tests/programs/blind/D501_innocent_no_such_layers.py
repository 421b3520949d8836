# silent: D501
# Plain MLP: nothing in it behaves differently in training, so eval() is not called.
import torch
from torch import nn

torch.manual_seed(112)
x = torch.randn(280, 3)
y = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:]
net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.LayerNorm(32), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(10):
    for rows in torch.randperm(200).split(40):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
        opt.step()
    with torch.no_grad():
        held_out = nn.functional.mse_loss(net(x[200:]), y[200:])
print("held-out error after the last epoch", held_out.item())
