# silent: D501 D502 D504
"""All parameters as one vector, with its graph, for an update that is written out: no forward pass."""

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

torch.manual_seed(3)
x = torch.randn(64, 5)
y = x @ torch.randn(5, 1)
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
for step in range(25):
    loss = nn.functional.mse_loss(model(x), y)
    model.zero_grad()
    loss.backward()
    downhill = torch.cat([each.grad.flatten() for each in model.parameters()])
    length = parameters_to_vector(model.parameters()).norm()
    vector = parameters_to_vector(model.parameters()).detach()
    vector_to_parameters(vector - 0.05 * downhill, model.parameters())
print(f"{loss.item():.4f} {length.item():.4f}")
