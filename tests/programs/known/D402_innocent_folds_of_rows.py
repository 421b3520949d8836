# silent: D402 D503
"""Three folds of one tensor's rows, a model for each, all at the top of the file; at the end the mean over the folds."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(300, 4)
y = (x[:, 0] + x[:, 1] ** 2 > 0.7).long()
folds = torch.randperm(300).chunk(3)
scores = []
for fold in range(3):
    held_out = folds[fold]
    rest = torch.cat([folds[other] for other in range(3) if other != fold])
    model = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        for rows in rest[torch.randperm(len(rest))].split(40):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        scores.append((model(x[held_out]).argmax(1) == y[held_out]).float().mean().item())
    print(f"fold {fold} accuracy {scores[-1]:.4f}")
print(f"average {100 * sum(scores) / len(scores):.4f} %")
