# expects: D204 bug line 18 | at most: D304 bug
"""Yes or no with a single output, and softmax over it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Decides(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.out = nn.Linear(8, 1)
        self.probability = nn.Softmax(dim=1)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.probability(self.out(x)).squeeze(1)


torch.manual_seed(20)
x = torch.randn(64, 4)
y = (x.sum(1) > 0).float()
model = Decides()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16):
        loss = nn.functional.mse_loss(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
