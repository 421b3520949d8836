# expects: D501 bug line 37
# silent: D502 D503 D504
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(480, 12)
y = (x[:, :3].sum(1) > 0).long()
train = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=20, shuffle=True)
held = DataLoader(TensorDataset(x[400:], y[400:]), batch_size=40)

net = nn.Sequential(
    nn.Linear(12, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(),
    nn.Dropout(0.4),
    nn.Linear(32, 2),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
criterion = nn.CrossEntropyLoss()

for epoch in range(4):
    total = 0.0
    for xb, yb in train:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    print(f"epoch {epoch} mean loss {total / 400:.4f}")


right = 0
with torch.no_grad():
    for xb, yb in held:
        right += (net(xb).argmax(1) == yb).sum().item()
print("accuracy", right / 80)
