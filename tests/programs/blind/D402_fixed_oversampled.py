# silent: D402
import torch
from torch import nn


def load(n=600):
    g = torch.Generator().manual_seed(14)
    x = torch.randn(n, 5, generator=g)
    fraud = x[:, 0] + x[:, 1] + 0.7 * torch.randn(n, generator=g) > 2.0
    return x, fraud.long()


def balance(x, t):
    """Repeat the rare class until both are about equally frequent."""
    rare = torch.nonzero(t == 1).flatten()
    times = int((t == 0).sum()) // len(rare)
    rows = torch.cat([torch.nonzero(t == 0).flatten(), rare.repeat(times)])
    return x[rows], t[rows]


def split(x, t, part=0.75):
    mix = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    cut = int(part * len(x))
    return (x[mix[:cut]], t[mix[:cut]]), (x[mix[cut:]], t[mix[cut:]])


def main():
    torch.manual_seed(0)
    x, t = load()
    (train_x, train_t), (test_x, test_t) = split(x, t)
    train_x, train_t = balance(train_x, train_t)
    layers = [nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(40):
        loss = nn.functional.cross_entropy(model(train_x), train_t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_t).float().mean().item()
    print(f"held-out accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
