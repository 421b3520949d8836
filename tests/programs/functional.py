"""torch.func: functional_call, grad and vmap, with parameters in a dictionary."""

import torch
from torch import nn
from torch.func import functional_call, grad, grad_and_value, vmap

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(16, 2), torch.randn(16, 1)
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
parameters = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def loss_of(parameters, x, y):
    return ((functional_call(model, parameters, (x,)) - y) ** 2).mean()


for _ in range(4):
    gradients, loss = grad_and_value(loss_of)(parameters, x, y)
    parameters = {name: value - 0.1 * gradients[name] for name, value in parameters.items()}
    print(loss.item())
each = vmap(grad(loss_of), in_dims=(None, 0, 0))(parameters, x, y)
print({name: tuple(value.shape) for name, value in each.items()})
for name, value in parameters.items():
    print(name, value.numpy().tobytes().hex())
