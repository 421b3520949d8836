# silent: D103
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def run_epoch(model, loader, loss_fn, optimizer=None):
    total = 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            loss = loss_fn(model(x), y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(x)
    return total / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(14)
    x = torch.randn(240, 6)
    y = (x[:, :2] ** 2).sum(1, keepdim=True)
    train = DataLoader(TensorDataset(x[:160], y[:160]), batch_size=32, shuffle=True)
    valid = DataLoader(TensorDataset(x[160:], y[160:]), batch_size=8)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(5):
        fit = run_epoch(model.train(), train, nn.MSELoss(), optimizer)
        check = run_epoch(model.eval(), valid, nn.MSELoss())
        print(f"{epoch}: {fit:.3f} {check:.3f}")
