# expects: D105 bug line 12 | at most: D304 likely
# silent: D101, D102, D103, D104, D106, D107, D108
import torch

torch.manual_seed(10)
w = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
x = torch.randn(20, 3)
for i in range(8):
    error = x @ w - x.sum(1)
    loss = (error**2).mean()
    loss = torch.autograd.Variable(loss.data, requires_grad=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
