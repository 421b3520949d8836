# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(2)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(20):
    x = torch.randn(30, 3)
    loss = nn.functional.mse_loss(model(x), x[:, :1])
    loss.backward(retain_graph=True)
    first = [p.grad.clone() for p in model.parameters()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
