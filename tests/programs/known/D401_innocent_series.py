# silent: D401 D403 D407
"""Windows of a series over time, in the order of time."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
time = torch.arange(400) * 0.1
series = torch.sin(time) + 0.05 * torch.randn(400)
windows = series.unfold(0, 13, 1)
loader = DataLoader(TensorDataset(windows[:, :12].clone(), windows[:, 12:].clone()), batch_size=32)
net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(5):
    for past, following in loader:
        loss = nn.functional.mse_loss(net(past), following)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
