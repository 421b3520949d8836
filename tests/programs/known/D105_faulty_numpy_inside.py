# expects: D105 likely line 14
# silent: D101, D102, D103, D104, D106, D107, D108
import numpy as np
import torch
from torch import nn

torch.manual_seed(3)
first, second = nn.Linear(3, 6), nn.Linear(6, 1)
optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.01)
x = torch.randn(40, 3)
y = x.norm(dim=1, keepdim=True)
for i in range(20):
    h = first(x)
    h = torch.from_numpy(np.maximum(h.detach().numpy(), 0))
    loss = nn.functional.mse_loss(second(h), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
