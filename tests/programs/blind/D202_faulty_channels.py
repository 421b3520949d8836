# expects: D202 likely line 18
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def recording(n=200):
    """Four electrodes (rows), n moments (columns), and the state of sleep at each moment."""
    g = torch.Generator().manual_seed(50)
    state = torch.randint(0, 3, (n,), generator=g)
    pattern = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, 1.0], [-1.0, 1.0, 1.0]])
    return pattern[:, state] + 0.3 * torch.randn(4, n, generator=g), state


def main():
    torch.manual_seed(0)
    electrodes, state = recording()
    samples = electrodes.view(-1, 4)
    loader = DataLoader(TensorDataset(samples, state), batch_size=25, shuffle=True)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(6):
        hits = 0
        for x, target in loader:
            scores = model(x)
            loss = criterion(scores, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            hits += (scores.argmax(dim=1) == target).sum().item()
        print(epoch, round(loss.item(), 3), hits / len(state))


if __name__ == "__main__":
    main()
