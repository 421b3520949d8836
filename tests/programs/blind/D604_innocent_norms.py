# silent: D604
# layer norm and batch norm start with all weights one and all biases zero
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(47)
x = torch.randn(480, 8)
y = ((x**2).sum(1) > 7.3).long()
net = nn.Sequential(
    nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 2)
)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(6):
    right = 0
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True):
        out = net(xb)
        loss = nn.functional.cross_entropy(out, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (out.argmax(1) == yb).sum().item()
    print(f"epoch {epoch}: {right / 480:.3f} right while training")
