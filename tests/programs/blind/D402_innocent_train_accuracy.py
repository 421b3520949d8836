# silent: D402
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
x = torch.randn(500, 2)
y = (x[:, 0] * x[:, 1] > 0).long()
train_loader = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(x[400:], y[400:]), batch_size=50)

model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


@torch.no_grad()
def accuracy(loader):
    model.eval()
    right = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in loader)
    model.train()
    return right / len(loader.dataset)


for epoch in range(10):
    for xb, yb in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(xb), yb).backward()
        optimizer.step()
    train_accuracy = accuracy(train_loader)
    test_accuracy = accuracy(test_loader)
    print(f"epoch {epoch}: train accuracy {train_accuracy:.3f}, test accuracy {test_accuracy:.3f}")
