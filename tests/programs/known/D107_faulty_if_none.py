# expects: D107 bug line 16
# silent: D102, D104, D105, D106, D108
import torch
from torch import nn

torch.manual_seed(2)
x = torch.randn(25, 3)
y = (x[:, 0] > 0).float()
params = {"w": torch.randn(3, requires_grad=True), "b": torch.zeros((), requires_grad=True)}
for step in range(12):
    logits = x @ params["w"] + params["b"]
    loss = nn.functional.binary_cross_entropy_with_logits(logits, y)
    loss.backward()
    for name in params:
        if params[name].grad is not None:
            params[name] = params[name] - 0.5 * params[name].grad
