# expects: D111 likely
# silent: D101, D102, D103, D109, D110
# Ten batches an epoch, four for an update: the last two are divided by four all the same.
import torch
from torch import nn

torch.manual_seed(18)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
data = torch.randn(100, 3).split(10)
for epoch in range(4):
    for i, x in enumerate(data):
        loss = (model(x)[:, 0] - x.sum(1)).square().mean() / 4
        loss.backward()
        if (i + 1) % 4 == 0 or i + 1 == len(data):
            optimizer.step()
            optimizer.zero_grad()
