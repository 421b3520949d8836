# silent: D102
import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(128, 4)
wanted = inputs.sum(1, keepdim=True)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(inputs), wanted)
    loss.backward()
    optimizer.step()
print(loss.item())
