# at most: D403 note
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(6)
    x = torch.randn(530, 6)
    y = (x[:, 0] - x[:, 2] + 0.3 * torch.randn(530) > 0).long()
    # the batch norm does not like tiny batches
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True, drop_last=True)
    model = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(6):
        mean = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            mean += loss.item() / len(loader)
        print(f"{epoch}: {mean:.4f}")


if __name__ == "__main__":
    main()
