# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(5)
net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters())
x = torch.rand(50, 2)
y = x.prod(1, keepdim=True)


def one_step():
    opt.zero_grad()
    loss = (net(x) - y).abs().mean()
    loss.backward()
    opt.step()
    return loss


for i in range(20):
    one_step()
