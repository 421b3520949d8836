# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch

torch.manual_seed(0)
x = torch.randn(30, 4)
y = x.sum(1, keepdim=True)
w = torch.zeros(4, 1, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.05)
for i in range(20):
    loss = ((x @ w - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
