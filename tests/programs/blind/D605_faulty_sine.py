# expects: D605 likely line 12
import math
import torch
import torch.nn as nn

torch.manual_seed(15)
t = torch.linspace(-1, 1, 240).unsqueeze(1)
y = torch.sin(3 * math.pi * t) + 0.05 * torch.randn(240, 1)

model = nn.Sequential(
    nn.Linear(1, 64),
    nn.Linear(64, 64),
    nn.Linear(64, 1),
)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for i in range(150):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(t), y)
    loss.backward()
    opt.step()
    if i % 50 == 49:
        print(i + 1, loss.item())
