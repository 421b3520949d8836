"""Tensors, autograd and layers, one at a time."""

# %%
import torch
from torch import nn

table = torch.tensor([[4.0, 3.0], [2.0, 1.0]])
print(table * 2 - 1, table.sum(), table.T)
print(torch.eye(2), torch.ones(1, 3))

# %%
table = torch.tensor([[4.0, 3.0], [2.0, 1.0]], requires_grad=True)
total = (table**3).mean()
total.backward()
print("gradient:", table.grad)

# %%
with torch.no_grad():
    doubled = table * 2
table.requires_grad_(False)
print(doubled.requires_grad, table.requires_grad)

# %%
torch.manual_seed(5)
rows = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.5, 1.0]])
single = nn.Linear(3, 1)
print("a layer:", single(rows))

# %%
first, activation, second = nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)
print("two layers:", second(activation(first(rows))))

# %%
wanted = torch.tensor([[5.0], [1.0]])
between = activation(first(rows))
guess = second(between)
loss = nn.MSELoss()(guess, wanted)
print("loss:", loss.item())

# %%
first.zero_grad()
second.zero_grad()
loss.backward()
print("gradients:", first.weight.grad, second.bias.grad)
