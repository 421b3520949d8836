# arguments: tensors | expects: D801 note line 37 | at most: D406 likely
# arguments: own | expects: D801 note line 37 | at most: D406 likely
# arguments: slices | silent: D801 | at most: D406 likely
# arguments: wide | silent: D801 | at most: D406 likely
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

how = sys.argv[1]
torch.manual_seed(0)
x, y = torch.randn(12800, 20), torch.randint(0, 5, (12800,))


class Numbers(Dataset):
    def __len__(self):
        return 12800

    def __getitem__(self, row):
        values = [float(value) for value in x[row]]
        return torch.tensor(values), y[row]


class Slices:
    def __iter__(self):
        order = torch.randperm(12800)
        for start in range(0, 12800, 256):
            rows = order[start : start + 256]
            yield x[rows], y[rows]


wide = 3000 if how == "wide" else 8
batches = (
    Slices()
    if how == "slices"
    else DataLoader(Numbers() if how == "own" else TensorDataset(x, y), batch_size=256, shuffle=True)
)
net = nn.Sequential(nn.Linear(20, wide), nn.ReLU(), nn.Linear(wide, wide // 2), nn.ReLU(), nn.Linear(wide // 2, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for epoch in range(1 if how == "wide" else 3):
    mean = 0.0



    for number, (xb, yb) in enumerate(batches):
        if how == "wide" and number == 30:
            break
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        mean += (loss.item() - mean) / (number + 1)
    print(f"epoch {epoch} {mean:.4f}")
