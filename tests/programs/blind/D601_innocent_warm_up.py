# silent: D601
"""Rings, trained with a warm-up to a bold rate and a long cosine down."""

import math

import torch
from torch import nn

torch.manual_seed(9)
radius = torch.cat([torch.rand(200) * 0.8, 1 + torch.rand(200)])
angle = torch.rand(400) * 2 * math.pi
x = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
y = torch.cat([torch.zeros(200), torch.ones(200)]).long()

model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
steps, warm, peak = 240, 30, 0.8
optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)


def rate(step):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
history = []
for step in range(steps):
    rows = torch.randint(0, 400, (50,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    scheduler.step()
    history.append(loss.item())
print("first", round(history[0], 3), "highest", round(max(history), 3), "last", round(history[-1], 4))
