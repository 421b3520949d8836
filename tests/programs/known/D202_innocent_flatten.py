# silent: D201 D202 D203 D204 D205
"""Flattening images, splitting off heads, tokens in one list and back: the batch stays first."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)
        self.embed = nn.Linear(16, 24)
        self.last = nn.Linear(24 * 4, 3)

    def forward(self, x):
        batch = x.shape[0]
        h = self.convolution(x.view(batch, 1, 4, 16)).relu()  # (batch, 4, 4, 16)
        tokens = self.embed(h.mean(1).reshape(batch * 4, 16)).view(batch, 4, 24)
        heads = tokens.view(batch, 4, 3, 8).transpose(1, 2)
        scores = (heads @ heads.transpose(-2, -1)).softmax(-1)
        joined = (scores @ heads).transpose(1, 2).reshape(batch, 4, 24)
        return self.last(joined.flatten(1))


torch.manual_seed(11)
images = torch.rand(24, 64)
labels = torch.randint(0, 3, (24,))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
