# arguments: loader | expects: D504 note line 46
# silent: D501 D502
# arguments: whole | expects: D504 note line 52
# silent: D501 D502
# arguments: fixed | silent: D501 D502 D504
# arguments: attack | silent: D501 D502 D504
# arguments: copied | silent: D501 D502 D504
# arguments: auxiliary | silent: D501 D502 D504
import contextlib
import copy
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

how = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(300, 12)
y = x[:, :4].argmax(1)
net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))
aside = nn.Linear(64, 1)
if how == "copied":
    net = copy.deepcopy(net).double().float()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
held = DataLoader(TensorDataset(x[240:], y[240:]), batch_size=30)
for epoch in range(8):
    for i in range(0, 240, 30):
        xb, yb = x[i : i + 30], y[i : i + 30]
        if how == "attack":
            xb = xb.clone().requires_grad_()
            slope = torch.autograd.grad(nn.functional.cross_entropy(net(xb), yb), xb)[0]
            xb = (xb + 0.01 * slope.sign()).detach()
        hidden = net[1](net[0](xb))
        if how == "auxiliary":
            unused = aside(hidden).mean()
        loss = nn.functional.cross_entropy(net[2](hidden), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    off = torch.no_grad() if how == "fixed" else contextlib.nullcontext()
    if how in ("loader", "fixed"):
        right = 0
        with off:
            for xb, yb in held:
                right += (net(xb).argmax(1) == yb).sum().item()
        print(f"held out {right / 60:.3f}")

    if how == "whole":
        # everything at once

        print(f"held out loss {nn.functional.cross_entropy(net(x[240:]), y[240:]):.3f}")
