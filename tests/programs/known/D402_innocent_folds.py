# silent: D402
"""Five folds, each with a model of its own: what one is examined on, another is trained on."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

torch.manual_seed(2)
x = torch.randn(200, 3)
data = TensorDataset(x, (x.sum(1) > 0).long())
scores = []
for fold in range(5):
    held = list(range(fold * 40, fold * 40 + 40))
    rest = [row for row in range(200) if row not in held]
    loader = DataLoader(Subset(data, rest), batch_size=32, shuffle=True)
    examination = DataLoader(Subset(data, held), batch_size=40)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(4):
        for a, b in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(a), b).backward()
            optimizer.step()
    with torch.no_grad():
        scores += [(model(a).argmax(1) == b).float().mean().item() for a, b in examination]
print(sum(scores) / len(scores))
