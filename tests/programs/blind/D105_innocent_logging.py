# silent: D105
import statistics

import torch
from torch import nn


class History:
    def __init__(self):
        self.losses, self.outputs, self.norms = [], [], []

    def add(self, loss, output, model):
        self.losses.append(loss.item())
        self.outputs.append(output.detach().numpy().mean())
        self.norms.append(float(torch.tensor([p.data.norm().item() for p in model.parameters()]).mean()))


torch.manual_seed(30)
x = torch.randn(120, 4)
y = (x[:, :2] ** 2).sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
history = History()
best = torch.tensor(float("inf"))
for epoch in range(30):
    out = model(x)
    loss = nn.functional.mse_loss(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    history.add(loss, out, model)
    best = torch.minimum(best, loss.detach())
print(statistics.mean(history.losses[-5:]), best.item(), history.norms[-1])
