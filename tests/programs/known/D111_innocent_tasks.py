# silent: D101, D102, D103, D109, D110, D111
# Several losses of one batch, from one line.
import torch
from torch import nn

torch.manual_seed(4)
body, heads = nn.Linear(3, 6), nn.ModuleList(nn.Linear(6, 1) for _ in range(3))
optimizer = torch.optim.SGD([*body.parameters(), *heads.parameters()], lr=0.05)
for i in range(12):
    x = torch.randn(20, 3)
    h = body(x).tanh()
    losses = [nn.functional.mse_loss(head(h)[:, 0], x[:, n]) for n, head in enumerate(heads)]
    optimizer.zero_grad()
    for n, loss in enumerate(losses):
        loss.backward(retain_graph=n < 2)
    optimizer.step()
