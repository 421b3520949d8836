"""torch.compile, with the backend named on the command line."""

import sys

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(16, 4), torch.randn(16, 1)
model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
compiled = torch.compile(model, backend=sys.argv[1])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.compile(backend=sys.argv[1])
def halves(values):
    total = values.new_zeros(())
    for number in range(3):
        total = total + values.sum() / 2**number
    return total


for _ in range(4):
    optimizer.zero_grad()
    loss = ((compiled(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    print(loss.item())
print(halves(torch.arange(4.0)).item())
print(torch._dynamo.utils.counters["graph_break"].total())
for parameter in model.parameters():
    print(parameter.detach().numpy().tobytes().hex())
