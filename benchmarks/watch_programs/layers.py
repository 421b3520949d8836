"""A small module on 64 rows of 8 numbers: nn.Sequential, mean squared error, SGD with momentum."""

import torch
from stopwatch import Stopwatch, steps
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
inputs = torch.randn(64, 8)
targets = inputs @ torch.randn(8, 1) + 0.1 * torch.randn(64, 1)

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

stopwatch = Stopwatch()
for _ in range(steps(20_000)):
    predictions = model(inputs)
    loss = loss_fn(predictions, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
