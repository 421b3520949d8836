# expects: D401 likely line 47
"""Tell four kinds of strokes apart on small generated pictures."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class StrokePictures(Dataset):
    """8x8 pictures: horizontal, vertical, diagonal and anti-diagonal strokes."""

    def __init__(self, per_kind=128, seed=11):
        g = torch.Generator().manual_seed(seed)
        pictures, kinds = [], []
        for kind in range(4):
            for _ in range(per_kind):
                picture = 0.25 * torch.randn(8, 8, generator=g)
                at = int(torch.randint(1, 7, (1,), generator=g))
                if kind == 0:
                    picture[at, :] += 1
                elif kind == 1:
                    picture[:, at] += 1
                elif kind == 2:
                    picture += torch.eye(8)
                else:
                    picture += torch.eye(8).flip(0)
                pictures.append(picture[None])
                kinds.append(kind)
        self.pictures = torch.stack(pictures)
        self.kinds = torch.tensor(kinds)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.pictures[i], self.kinds[i]


class Trainer:
    def __init__(self, epochs=5):
        self.epochs = epochs
        self.model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.criterion = nn.CrossEntropyLoss()
        self.train_loader = DataLoader(StrokePictures(), batch_size=32)
        self.test_loader = DataLoader(StrokePictures(per_kind=30, seed=12), batch_size=60)

    def fit(self):
        for epoch in range(self.epochs):
            self.model.train()
            for pictures, kinds in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(pictures), kinds)
                loss.backward()
                self.optimizer.step()
            print(f"epoch {epoch}: test accuracy {self.test():.3f}")

    @torch.no_grad()
    def test(self):
        self.model.eval()
        right = sum((self.model(p).argmax(1) == k).sum().item() for p, k in self.test_loader)
        return right / len(self.test_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(0)
    Trainer().fit()
