# arguments: twice | expects: D301 bug line 28
# arguments: once | silent: D301
# A binary classifier that squashes its answer twice: in forward and in the loss.
import sys

import torch
from torch import nn


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 16), nn.Linear(16, 1)

    def forward(self, x):
        score = self.b(torch.tanh(self.a(x))).squeeze(-1)
        return score.sigmoid() if sys.argv[1] == "twice" else score


torch.manual_seed(2)
x = torch.randn(200, 4)
y = (x[:, 0] * x[:, 1] > 0).float()
judge = Judge()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(judge.parameters(), lr=0.3, momentum=0.9)
for epoch in range(40):
    optimizer.zero_grad()
    loss = criterion(judge(x), y)
    loss.backward()
    optimizer.step()
print(f"{loss.item():.3f}")
