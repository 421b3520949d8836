"""Three fits at once, in threads of their own."""

import threading

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.randn(100, 4)
y = x.sum(1, keepdim=True)


together = threading.Barrier(3)
losses = {}


def fit(rate):
    together.wait()
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(40):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    losses[rate] = loss.item()  # not printed here: what threads print at once may come in any order


threads = [threading.Thread(target=fit, args=(rate,)) for rate in (0.01, 0.05, 0.1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print([losses[rate] < 5 for rate in sorted(losses)])
