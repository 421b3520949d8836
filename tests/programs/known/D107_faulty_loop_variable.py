# expects: D107 bug line 17
# silent: D101, D102, D104, D105, D106, D108
# The loop's own name is bound to a new tensor; the parameters stay.
import torch
from torch import nn

torch.manual_seed(14)
model = nn.Linear(3, 1)
x = torch.randn(30, 3)
y = x.sum(1, keepdim=True)
for epoch in range(15):
    loss = nn.functional.mse_loss(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p = p - 0.1 * p.grad
