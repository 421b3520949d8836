# silent: D105
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 3)
y = x @ torch.tensor([[2.0], [-1.0], [0.5]])

net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

for epoch in range(10):
    losses = []
    for xb, yb in zip(x.split(32), y.split(32)):
        losses.append(nn.functional.mse_loss(net(xb), yb))
    # mean over the batches of this epoch
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
