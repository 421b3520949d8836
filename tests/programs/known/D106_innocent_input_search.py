# silent: D101, D102, D103, D104, D105, D106, D107, D108
# Adversarial training: every step makes a new perturbation that has a gradient.
import torch
from torch import nn

torch.manual_seed(6)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(20):
    x = torch.randn(16, 4)
    y = (x[:, 0] > 0).long()
    delta = torch.zeros_like(x, requires_grad=True)
    nn.functional.cross_entropy(model(x + delta), y).backward()
    x = x + 0.1 * delta.grad.sign()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
