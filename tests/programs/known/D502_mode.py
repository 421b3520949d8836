# arguments: forgotten | expects: D502 likely line 44
# silent: D501 D504
# arguments: fixed | silent: D501 D502 D504
# arguments: frozen | at most: D502 note
# silent: D501
# arguments: probe | at most: D502 note
# silent: D501 D504
# arguments: saliency | silent: D501 D502
import sys

import torch
from torch import nn

how = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(200, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
body = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5))
head = nn.Linear(32, 2)
model = nn.Sequential(body, head)
if how == "frozen":
    for parameter in body.parameters():
        parameter.requires_grad = False
    body.eval()
if how == "probe":  # the body learns first, and a head on top of it later
    first = torch.optim.SGD(body.parameters(), lr=0.1)
    for _ in range(25):
        ((body(x) - x.repeat(1, 4)) ** 2).mean().backward()
        first.step()
        first.zero_grad()
    body.requires_grad_(False).eval()
    scores = nn.Linear(32, 2)
    second = torch.optim.Adam(scores.parameters(), lr=0.01)
    for _ in range(25):
        nn.functional.cross_entropy(scores(body(x)), y).backward()
        second.step()
        second.zero_grad()
    sys.exit()
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)

for epoch in range(6):
    for start in range(0, 160, 16):
        xb, yb = x[start : start + 16], y[start : start + 16]
        out = model(xb)
        loss = nn.functional.cross_entropy(out, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if how == "frozen":
        continue
    model.eval()
    if how == "saliency":
        probe = x[160:].clone().requires_grad_()
        model(probe).max(1).values.sum().backward()
        optimizer.zero_grad()
    with torch.no_grad():
        held = (model(x[160:]).argmax(1) == y[160:]).float().mean()
    print(f"epoch {epoch} held out {held:.2f}")
    if how != "forgotten":
        model.train()
