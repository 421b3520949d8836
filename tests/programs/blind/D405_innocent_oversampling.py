# silent: D405
"""A rare class, drawn more often by a weighted sampler."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def main():
    torch.manual_seed(10)
    torch.set_num_threads(1)
    x = torch.randn(400, 6)
    rare = (x[:, 0] + x[:, 1] > 2.2).long()
    weights = torch.where(rare == 1, 12.0, 1.0)
    sampler = WeightedRandomSampler(weights, num_samples=400, replacement=True)
    loader = DataLoader(TensorDataset(x, rare), batch_size=25, sampler=sampler, num_workers=2)

    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: mean batch loss {total / len(loader):.4f}")


if __name__ == "__main__":
    main()
