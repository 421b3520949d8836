# silent: D404
"""Missing values are there, and the script knows: they are filled in inside the model, and masked in the loss."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 5)
y = x.sum(1)
x[torch.rand(200, 5) < 0.1] = float("nan")


class Filled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(10, 1)

    def forward(self, x):
        missing = x.isnan()
        return self.linear(torch.cat([x.nan_to_num(0.0), missing.float()], 1)).squeeze(1)


model = Filled()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(10):
    for rows in torch.randperm(200).split(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
print(loss.item())
