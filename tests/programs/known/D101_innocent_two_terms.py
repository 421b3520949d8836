# silent: D101, D102, D103, D104, D105, D106, D107, D108, D111
# Two losses of one batch fill the gradients of one step.
import torch
from torch import nn

torch.manual_seed(2)
body, age, name = nn.Linear(5, 6), nn.Linear(6, 1), nn.Linear(6, 3)
optimizer = torch.optim.SGD([*body.parameters(), *age.parameters(), *name.parameters()], lr=0.05)
for i in range(12):
    x = torch.randn(20, 5)
    h = body(x).tanh()
    optimizer.zero_grad()
    nn.functional.mse_loss(age(h).squeeze(1), x.sum(1)).backward(retain_graph=True)
    nn.functional.cross_entropy(name(h), x[:, :3].argmax(1)).backward()
    optimizer.step()
