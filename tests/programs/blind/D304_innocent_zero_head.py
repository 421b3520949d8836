# silent: D304
"""The classifier starts with a zero head, so that every class is equally likely before the first update."""

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU())
        self.head = nn.Linear(32, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.features(x))


torch.manual_seed(44)
x = torch.randn(200, 7)
y = (x @ torch.randn(7, 4)).argmax(1)
net = Classifier(7, 4)
opt = torch.optim.SGD(net.parameters(), lr=0.2)
for step in range(120):
    rows = torch.randperm(200)[:100]
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    loss.backward()
    opt.step()
    if step in (0, 119):
        print(f"batch loss at step {step}: {loss.item():.4f}")
