# at most: D104 note
# silent: D101, D102, D103, D105, D106, D107, D108, D605
# An expert that no row was sent to yet.
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, count=3):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(count))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        which = int(x[:, 0].sum() > 0)
        return self.head(self.experts[which](x))


torch.manual_seed(6)
model = Mixture()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(12):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), (x[:, 1] > 0).long()).backward()
    optimizer.step()
