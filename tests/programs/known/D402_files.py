# arguments: shared
# expects: D402 bug line 29
# arguments: rounded
# expects: D402 likely line 29
# arguments: apart
# silent: D402 D404 D407
"""One script, three files to examine on: with rows of the training file, with such rows rounded, with rows of its own."""

import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rng = np.random.default_rng(7)
table = rng.normal(size=(600, 6)).astype(np.float32)
price = (table @ np.array([1.0, -2.0, 0.5, 0.0, 0.3, 1.2]) + 0.2 * rng.normal(size=600)).astype(np.float32)
train_x, train_y = table[:480], price[:480]
other_x, other_y = table[480:], price[480:]
if sys.argv[1] == "shared":
    other_x, other_y = np.concatenate([other_x, table[100:160]]), np.concatenate([other_y, price[100:160]])
elif sys.argv[1] == "rounded":
    other_x, other_y = np.concatenate([other_x, table[100:160].round(2)]), np.concatenate([other_y, price[100:160]])


def load(x, y, **kwargs):
    return DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=40, **kwargs)


train_loader = load(train_x, train_y, shuffle=True)
held_out = load(other_x, other_y)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    for x, y in train_loader:
        loss = (model(x).squeeze(1) - y).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        errors = torch.cat([(model(x).squeeze(1) - y).pow(2) for x, y in held_out])
    print(epoch, errors.mean().item())
