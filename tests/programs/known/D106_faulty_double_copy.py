# expects: D106 bug line 9 | at most: D304 likely
# silent: D101, D102, D103, D104, D105, D107, D108
# The model computes with a copy of the parameter that was made before training.
import torch

torch.manual_seed(4)
w = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.05)
weight = w.to(torch.float64)
for i in range(20):
    x = torch.randn(30, 3, dtype=torch.float64)
    loss = (x @ weight - x.sum(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
