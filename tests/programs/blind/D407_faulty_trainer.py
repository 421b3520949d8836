# expects: D407 note line 0
"""Count the dots on small pictures."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Dots(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.count = torch.randint(1, 5, (n,), generator=g)
        self.images = torch.zeros(n, 1, 10, 10)
        for i in range(n - n // 5):
            spots = torch.randperm(100, generator=g)[: self.count[i]]
            self.images[i].view(-1)[spots] = 1.0
            self.images[i] += 0.05 * torch.rand(1, 10, 10, generator=g)

    def __len__(self):
        return len(self.count)

    def __getitem__(self, i):
        return self.images[i], self.count[i] - 1


class Trainer:
    def __init__(self, dataset):
        self.loader = DataLoader(dataset, batch_size=40, shuffle=True)
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 4))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def run(self, epochs=8):
        for epoch in range(epochs):
            total = 0.0
            for image, label in self.loader:
                loss = nn.functional.cross_entropy(self.model(image), label)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(label)
            print(f"epoch {epoch} loss {total / len(self.loader.dataset):.4f}")


torch.manual_seed(0)
Trainer(Dots(400, seed=1)).run()
