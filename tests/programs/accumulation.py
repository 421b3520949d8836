"""Gradient accumulation: two backward passes make one step; learning rate by a scheduler."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randn(64, 1)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
for step in range(6):
    optimizer.zero_grad()
    for half in range(2):
        rows = slice(16 * half, 16 * half + 16)
        loss = nn.functional.mse_loss(model(x[rows]), y[rows]) / 2
        loss.backward()
        print(step, half, loss.item())
    optimizer.step()
    scheduler.step()
print(scheduler.get_last_lr(), torch.rand(3).tolist())
for name, parameter in model.named_parameters():
    print(name, parameter.detach().numpy().tobytes().hex())
