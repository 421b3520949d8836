# arguments: 1e-3 | expects: D602 note line 19
# arguments: 5.0 | silent: D602
# A threshold for clipping that lies below every gradient.
import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 10)
y = (x @ torch.randn(10, 4)).argmax(1)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
sgd = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(15):
    for rows in torch.randperm(256).split(32):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), float(sys.argv[1]))
        sgd.step()
