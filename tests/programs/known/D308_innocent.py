# silent: D308
# Exponentials that are no softmax: a rate, a variance, a kernel, weights of distances.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(100, 4)
counts = torch.poisson((0.5 * x[:, 0]).exp())
net = nn.Linear(4, 3)
centres = torch.randn(5, 4, requires_grad=True)
optimizer = torch.optim.Adam([*net.parameters(), centres], lr=0.01)
for step in range(25):
    out = net(x)
    rate = torch.exp(out[:, 0])
    poisson = (rate - counts * out[:, 0]).mean()
    gaussian = (0.5 * out[:, 2] + 0.5 * (x[:, 1] - out[:, 1]) ** 2 * torch.exp(-out[:, 2])).mean()
    near = torch.exp(-((x[:, None] - centres) ** 2).sum(-1))
    weights = near / near.sum(1, keepdim=True)
    spread = (weights @ centres - x).square().mean()
    loss = poisson + gaussian + spread
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
