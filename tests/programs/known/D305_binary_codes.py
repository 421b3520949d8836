# arguments: 0,1 | silent: D305
# arguments: -1,1 | expects: D305 bug line 21
# arguments: 1,2 | expects: D305 bug line 21
# One script for several files of answers: some say 0 and 1, some -1 and 1, some 1 and 2.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
no, yes = map(float, sys.argv[1].split(","))
x = torch.randn(240, 4)
y = torch.where(x[:, 0] - x[:, 2] > 0, yes, no)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(5):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
    print(loss.item())
