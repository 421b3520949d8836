# expects: D404 likely line 33 | at most: D604 likely
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Seven-segment digits with noise, as bytes like a camera gives them."""

    SEGMENTS = [
        "1110111",
        "0010010",
        "1011101",
        "1011011",
        "0111010",
        "1101011",
        "1101111",
        "1010010",
        "1111111",
        "1111011",
    ]

    def __init__(self, n=600):
        g = torch.Generator().manual_seed(23)
        self.y = torch.randint(0, 10, (n,), generator=g)
        on = torch.tensor([[int(c) for c in s] for s in self.SEGMENTS])
        self.x = (on[self.y] * 190 + torch.randint(0, 60, (n, 7), generator=g)).to(torch.uint8)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return (self.x[i] // 255).float(), self.y[i]


def train(model, loader, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        print(f"epoch {epoch + 1}: {total / len(loader.dataset):.3f}")


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 10))
train(net, DataLoader(Digits(), batch_size=50, shuffle=True), epochs=6, lr=0.01)
