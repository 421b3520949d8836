# expects: D602 note line 11
# silent: D601
# Plain gradient descent with a rate a thousand times too low.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 6)
y = (x.sum(dim=1, keepdim=True) * 0.5).sin() + 0.05 * torch.randn(200, 1)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
sgd = torch.optim.SGD(net.parameters(), lr=1e-5)
for epoch in range(200):
    out = net(x)
    loss = ((out - y) ** 2).mean()
    sgd.zero_grad()
    loss.backward()
    sgd.step()
print(loss.item())
