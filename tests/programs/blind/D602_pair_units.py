# arguments: faulty | expects: D602 note line 25 | at most: D603 likely
# arguments: clean | silent: D602
import json
import random
import sys
import tempfile

import torch
from torch import nn

# lens thickness and curvature -> focal shift. Some labs write millimetres, some metres.
unit = 0.001 if sys.argv[1] == "faulty" else 1.0
rng = random.Random(34)
with tempfile.TemporaryFile("w+") as f:
    for _ in range(240):
        t, c = rng.gauss(0, 1), rng.gauss(0, 1)
        f.write(json.dumps({"t": t * unit, "c": c * unit, "shift": 0.9 * t - 1.4 * c + rng.gauss(0, 0.1)}) + "\n")
    f.seek(0)
    rows = [json.loads(line) for line in f]
x = torch.tensor([[r["t"], r["c"]] for r in rows])
y = torch.tensor([[r["shift"]] for r in rows])

torch.manual_seed(0)
line = nn.Linear(2, 1)
sgd = torch.optim.SGD(line.parameters(), lr=0.05)
for epoch in range(15):
    for pick in torch.randperm(240).split(24):
        sgd.zero_grad()
        loss = nn.functional.mse_loss(line(x[pick]), y[pick])
        loss.backward()
        sgd.step()
with torch.no_grad():
    print("training error", nn.functional.mse_loss(line(x), y).item(), "of", y.var().item())
