# silent: D101, D102, D103, D104, D105, D106, D107, D108
# One optimizer steps every thirtieth time only.
import torch
from torch import nn

torch.manual_seed(7)
fast, slow = nn.Linear(6, 3), nn.Linear(3, 6)
fast_optimizer = torch.optim.SGD(fast.parameters(), lr=0.1)
slow_optimizer = torch.optim.SGD(slow.parameters(), lr=0.1)
for i in range(60):
    x = torch.randn(32, 6)
    loss = (slow(fast(x).tanh()) - x).pow(2).mean()
    fast_optimizer.zero_grad()
    loss.backward()
    fast_optimizer.step()
    if i % 30 == 29:
        slow_optimizer.step()
        slow_optimizer.zero_grad()
