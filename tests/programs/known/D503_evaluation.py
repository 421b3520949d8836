# arguments: sum | expects: D503 bug line 53
# arguments: rows | expects: D503 bug line 53
# arguments: full_batches | expects: D503 bug line 54
# arguments: batches | expects: D503 bug line 54
# arguments: kept | expects: D503 bug line 53
# arguments: fixed | silent: D503
# arguments: sums | silent: D503
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

how = sys.argv[1]
torch.manual_seed(4)
x = torch.randn(500, 6)
y = (x[:, 0] + 0.5 * torch.randn(500) > 0).long()
train = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=40, shuffle=True)
held = DataLoader(TensorDataset(x[400:490], y[400:490]), batch_size=20)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
total = right = batches = 0


def evaluate():
    global total, right, batches
    if how != "kept":
        total = 0.0
    right = batches = 0
    with torch.no_grad():
        for xb, yb in held:
            scores = model(xb)
            total += criterion(scores, yb).item() * (len(yb) if how == "fixed" else 1)
            right += (scores.argmax(1) == yb).sum().item()
            batches += 1


for epoch in range(4):
    for xb, yb in train:
        optimizer.zero_grad()
        criterion(model(xb), yb).backward()
        optimizer.step()
    evaluate()
    loss = total / {"sum": 1, "rows": 90, "fixed": 90, "sums": 1}.get(how, batches)
    accuracy = right / {"full_batches": len(held) * 20, "batches": batches}.get(how, 90)
    if how == "sums":
        print(f"sum of losses {loss:.4f}, correct {right}")
    else:
        print(f"epoch {epoch + 1}")


        print(f"validation loss {loss:.4f}") if how not in ("full_batches", "batches") else None
        print(f"validation accuracy {100 * accuracy:.2f}%")
