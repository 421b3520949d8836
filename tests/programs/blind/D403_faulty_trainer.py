# expects: D403 note line 56
"""Learn which of three sensors is drifting."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    def __init__(self, count=480, width=16, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.label = torch.randint(0, 3, (count,), generator=g)
        self.signal = 0.4 * torch.randn(count, 3, width, generator=g)
        ramp = torch.linspace(0, 1.5, width)
        for i, k in enumerate(self.label):
            self.signal[i, k] += ramp

    def __len__(self):
        return 2 * len(self.label)

    def __getitem__(self, i):
        i = i % len(self.label)
        return self.signal[i], self.label[i]


class DriftNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 5)
        self.out = nn.Linear(8 * 12, 3)

    def forward(self, x):
        return self.out(torch.relu(self.conv(x)).flatten(1))


class Trainer:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            running, rows = 0.0, 0
            for x, y in loader:
                self.opt.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.opt.step()
                running += loss.item() * len(y)
                rows += len(y)
            print(f"epoch {epoch}: {running / rows:.4f}")


if __name__ == "__main__":
    torch.manual_seed(1)
    loader = DataLoader(Windows(), batch_size=48, shuffle=True)
    Trainer(DriftNet()).fit(loader, epochs=4)
