# silent: D404
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

g = torch.Generator().manual_seed(70)


def measure(n):
    x = torch.randn(n, 3, generator=g) * torch.tensor([4.0, 0.2, 15.0]) + torch.tensor([20.0, 1.0, -40.0])
    y = 0.2 * x[:, :1] - 3 * x[:, 1:2] + 0.05 * x[:, 2:] + 0.2 * torch.randn(n, 1, generator=g)
    return x, y


train_x, train_y = measure(500)
val_x, val_y = measure(40)
mu, sd = train_x.mean(0), train_x.std(0)
train_x, val_x = (train_x - mu) / sd, (val_x - mu) / sd
mu_y = train_y.mean()
train_y, val_y = train_y - mu_y, val_y - mu_y

torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loader = DataLoader(TensorDataset(train_x, train_y), batch_size=25, shuffle=True)
for epoch in range(6):
    model.train()
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(f"epoch {epoch}, validation {nn.functional.mse_loss(model(val_x), val_y).item():.4f}")
