# arguments: faulty | expects: D406 likely line 0
# arguments: clean | silent: D406
import sys

import numpy as np
import torch
from torch import nn

# night and day recordings; the list of recordings is cut at 75 % for the evaluation
rng = np.random.default_rng(50)
y = rng.integers(0, 2, 480)
if sys.argv[1] == "faulty":
    y = np.sort(y)
x = rng.normal(size=(480, 9)) + 1.2 * (2 * y[:, None] - 1) * np.array([1, 0, 0, 1, 0, 0, 0, 0, 0])
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
fit_x, fit_y, eval_x, eval_y = x[:360], y[:360], x[360:], y[360:]

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    model.train()
    for rows in torch.randperm(360).split(36):
        opt.zero_grad()
        nn.functional.cross_entropy(model(fit_x[rows]), fit_y[rows]).backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        share = (model(eval_x).argmax(1) == eval_y).float().mean().item()
    print(f"{epoch}: evaluation accuracy {share:.3f}")
