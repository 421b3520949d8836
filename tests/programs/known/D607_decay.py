# arguments: adam 1.0 | expects: D607 likely line 20
# arguments: sgd 0.3 | expects: D607 likely line 20
# arguments: adam 1e-3 | silent: D607
# arguments: sgd 1e-2 | silent: D607
# arguments: adamw 1.0 | silent: D607
# Weight decay that takes back what the data ask for.
import sys

import torch
from torch import nn

how, decay = sys.argv[1], float(sys.argv[2])
torch.manual_seed(0)
x = torch.randn(400, 10)
y = (x @ torch.randn(10, 4)).argmax(1)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
rate = 0.1 if how == "sgd" else 0.01
make = kinds[how]
optimizer = make(model.parameters(), lr=rate, weight_decay=decay)
for _ in range(12):
    for rows in torch.randperm(400).split(40):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
