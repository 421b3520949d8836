# at most: D104 note
# silent: D101, D102, D103, D105, D106, D107, D108
# Both heads run; only one of them has a loss.
import torch
from torch import nn


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(5, 8)
        self.value = nn.Linear(8, 1)
        self.spread = nn.Linear(8, 1)

    def forward(self, x):
        h = self.body(x).relu()
        return self.value(h), self.spread(h)


torch.manual_seed(3)
model = Both()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(15):
    x = torch.randn(16, 5)
    value, spread = model(x)
    optimizer.zero_grad()
    nn.functional.mse_loss(value[:, 0], x.sum(1)).backward()
    optimizer.step()
