# silent: D503
"""Epoch figures weighted by rows, with a short last batch; each printed figure is what it says."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Meter:
    def __init__(self):
        self.sum, self.n = 0.0, 0

    def update(self, value, n):
        self.sum += value * n
        self.n += n

    def mean(self):
        return self.sum / self.n


torch.manual_seed(135)
x = torch.randn(205, 4)
y = (x[:, 0] - x[:, 1] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True)
net = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(6):
    losses, hits = Meter(), Meter()
    for xb, yb in loader:
        logits = net(xb)
        loss = nn.functional.cross_entropy(logits, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.update(loss.item(), len(xb))
        hits.update((logits.argmax(1) == yb).float().mean().item(), len(xb))
    print(f"epoch {epoch}: mean loss while training {losses.mean():.4f}, accuracy while training {hits.mean():.3f}")
