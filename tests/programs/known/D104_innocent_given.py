# silent: D101, D102, D103, D104, D105, D106, D107, D108
# Gradients are set by hand, from those of each example.
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)
x, y = torch.randn(32, 8), torch.randint(0, 2, (32,))
net = nn.Linear(8, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def of_one(parameters, example, target):
    return nn.functional.cross_entropy(functional_call(net, parameters, (example.unsqueeze(0),)), target.unsqueeze(0))


for _ in range(12):
    gradients = vmap(grad(of_one), in_dims=(None, 0, 0))(dict(net.named_parameters()), x, y)
    for name, parameter in net.named_parameters():
        parameter.grad = gradients[name].detach().mean(0)
    optimizer.step()
