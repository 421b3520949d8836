"""A thousand tiny steps: one linear layer, five rows, SGD."""

import torch
from stopwatch import Stopwatch, steps
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.tensor([[2.0], [4.0], [6.0], [8.0], [10.0]])
y = torch.tensor([[75.0], [80.0], [90.0], [94.0], [98.0]])
model = nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

stopwatch = Stopwatch()
for _ in range(steps(1000)):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
