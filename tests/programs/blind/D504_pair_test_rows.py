# arguments: faulty | expects: D504 note line 38
# arguments: clean | silent: D504
# Kind of rock from five readings. A sample file may or may not come with a part for testing.
import sys
import tempfile

import torch
from torch import nn


def sample_file(file, variant):
    g = torch.Generator().manual_seed(143)
    kind = torch.randint(0, 3, (240,), generator=g)
    values = torch.randn(3, 5, generator=g)[kind] * 1.5 + torch.randn(240, 5, generator=g)
    parts = {"train": (values[:180], kind[:180])}
    if variant == "faulty":
        parts["test"] = (values[180:], kind[180:])
    torch.save(parts, file)
    file.seek(0)


with tempfile.TemporaryFile() as file:
    sample_file(file, sys.argv[1])
    parts = torch.load(file)

torch.manual_seed(143)
net = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = parts["train"]
for epoch in range(8):
    for rows in torch.randperm(len(x)).split(30):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if "test" in parts:
        test_x, test_y = parts["test"]
        test_scores = net(test_x)
        print(epoch, "test accuracy", (test_scores.argmax(1) == test_y).float().mean().item())
print("trained")
