# at most: D111 note
# silent: D101, D102, D103, D109, D110
# Adam's step does not depend on the size of the gradients.
import torch
from torch import nn

torch.manual_seed(19)
model = nn.Linear(3, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for i in range(8):
    optimizer.zero_grad()
    for piece in range(4):
        x = torch.randn(10, 3)
        (model(x)[:, 0] - x.sum(1)).square().mean().backward()
    optimizer.step()
