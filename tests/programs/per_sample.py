"""Gradients of each example by torch.func.vmap, in the first steps of all, and an optimizer that is given their mean."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(16, 4), torch.randint(0, 2, (16,))
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def loss_of(parameters, example, target):
    scores = functional_call(model, parameters, (example.unsqueeze(0),))
    return nn.functional.cross_entropy(scores, target.unsqueeze(0))


for _ in range(5):
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    gradients = vmap(grad(loss_of), in_dims=(None, 0, 0))(parameters, x, y)
    for name, parameter in model.named_parameters():
        parameter.grad = gradients[name].mean(0)
    optimizer.step()
    optimizer.zero_grad()
models = [nn.Linear(4, 1) for _ in range(3)]
stacked, _ = torch.func.stack_module_state(models)
ensemble = torch.optim.SGD(stacked.values(), lr=0.1)
for _ in range(4):
    scores = vmap(lambda each: functional_call(models[0], each, (x,)))(stacked)
    loss = ((scores - y[:, None]) ** 2).mean()
    ensemble.zero_grad()
    loss.backward()
    ensemble.step()
    print(loss.item())
for value in (*model.parameters(), *stacked.values()):
    print(value.detach().numpy().tobytes().hex())
