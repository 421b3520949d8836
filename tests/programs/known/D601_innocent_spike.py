# silent: D601 D602
# The rate is warmed up and meets one bad batch on its way: the loss jumps once and comes back.
import torch
from torch import nn

torch.manual_seed(3)
x = torch.randn(256, 10)
y = x @ torch.randn(10, 1) + 0.1 * torch.randn(256, 1)
model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, total_iters=50)
for step in range(300):
    rows = torch.randint(0, 256, (32,))
    target = y[rows] * (20.0 if step == 60 else 1.0)
    loss = nn.functional.mse_loss(model(x[rows]), target)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    warm.step()
print(loss.item())
