"""A function mode and a dispatch mode of the script's own, opened and closed across steps."""

from collections import Counter

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

counts = Counter()


class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        counts["function " + getattr(function, "__name__", str(function))] += 1
        return function(*args, **(kwargs or {}))


class Kernels(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        counts["kernel " + str(function)] += 1
        return function(*args, **(kwargs or {}))


torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(20, 3), torch.randn(20, 1)
w = torch.zeros(3, 1, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)


def step():
    optimizer.zero_grad()
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    print(loss.item())


step()
functions = Functions()
functions.__enter__()
step()
with Kernels():
    step()
functions.__exit__(None, None, None)
step()
with Functions(), Kernels():
    step()
for name, count in sorted(counts.items()):
    print(name, count)
print(w.detach().numpy().tobytes().hex())
