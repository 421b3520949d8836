# arguments: raw | expects: D603 likely line 16 | at most: D604 likely
# arguments: scaled | silent: D603
# A small network on a table of people: income in euros beside age and number of rooms.
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x): return self.layers(x).squeeze(1)


torch.manual_seed(0)
income = torch.randn(400) * 12000 + 40000
age = torch.randn(400) * 12 + 45
rooms = torch.randint(1, 7, (400,)).float()
table = torch.stack([income, age, rooms, torch.rand(400)], dim=1)
y = (income / 12000 + age / 12 + rooms + 3 * table[:, 3]) / 4 + 0.05 * torch.randn(400)
if sys.argv[1] == "scaled":
    table = (table - table.mean(0)) / table.std(0)
net = Net(4)
adam = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(4):
    for xb, yb in DataLoader(TensorDataset(table, y), batch_size=50, shuffle=True):
        adam.zero_grad()
        loss = nn.functional.mse_loss(net(xb), yb)
        loss.backward()
        adam.step()
    print(loss.item())
