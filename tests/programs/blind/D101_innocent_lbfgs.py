# silent: D101
import torch
from torch import nn

torch.manual_seed(5)
t = torch.linspace(0, 6, 100)[:, None]
wave = torch.sin(t)

model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=10)


def closure():
    optimizer.zero_grad()
    loss = ((model(t) - wave) ** 2).mean()
    loss.backward()
    return loss


for step in range(6):
    print(step, optimizer.step(closure).item())
