# at most: D105 note | at most: D104 note
# silent: D101, D102, D103, D106, D107, D108
# The body runs without gradients on purpose; the optimizer was given all of the model.
import torch
from torch import nn


class Probe(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x):
        with torch.no_grad():
            h = self.body(x).relu()
        return self.head(h)


torch.manual_seed(11)
probe = Probe()
optimizer = torch.optim.SGD(probe.parameters(), lr=0.1)
for i in range(10):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.cross_entropy(probe(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
