# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch

torch.manual_seed(4)
w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.05)
for i in range(20):
    x = torch.randn(30, 3, dtype=torch.float64)
    loss = (x @ w - x.sum(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
