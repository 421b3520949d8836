"""An autograd.Function of the script's own, double backward, and an activation in place."""

import torch
from torch import nn


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        ctx.save_for_backward(values)
        return values.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (values,) = ctx.saved_tensors
        return gradient * (values > 0)


torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(20, 3), torch.randn(20, 1)
first, second, third = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 1)
parameters = [*first.parameters(), *second.parameters(), *third.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.05)
for _ in range(4):
    hidden = Clipped.apply(first(x))
    output = third(nn.functional.relu_(second(hidden)) * 0.5)
    loss = ((output - y) ** 2).mean()
    (slope,) = torch.autograd.grad(loss, first.weight, create_graph=True)
    loss = loss + 0.01 * slope.pow(2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item(), first.weight._version)
print(*(parameter.detach().numpy().tobytes().hex() for parameter in parameters))
