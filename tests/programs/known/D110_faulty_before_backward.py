# expects: D110 bug line 13
# silent: D101, D102, D103, D109, D111
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(15):
    x = torch.randn(20, 4)
    optimizer.zero_grad()
    loss = (model(x).squeeze(1) - 10 * x.sum(1)).square().mean()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    loss.backward()
    optimizer.step()
