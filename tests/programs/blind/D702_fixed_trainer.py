# silent: D702
"""Autoencoder for generated 20x20 pictures, under autocast in float16."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pictures(n):
    g = torch.Generator().manual_seed(211)
    place = torch.rand(n, 2, 1, generator=g) * 20
    axis = torch.arange(20)
    bump = torch.exp(-((axis - place) ** 2) / 18)
    return (bump[:, 0, :, None] * bump[:, 1, None, :]).flatten(1)


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Linear(400, 32), nn.Sigmoid(), nn.Linear(32, 16), nn.Sigmoid(), nn.Linear(16, 8), nn.Sigmoid()
        )
        self.decode = nn.Sequential(
            nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 32), nn.Sigmoid(), nn.Linear(32, 400), nn.Sigmoid()
        )

    def forward(self, picture):
        return self.decode(self.encode(picture))


class HalfTrainer:
    def __init__(self):
        self.model = AutoEncoder()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.scaler = torch.amp.GradScaler("cpu")

    def step(self, picture):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            out = self.model(picture)
        loss = nn.functional.mse_loss(out.float(), picture)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item()

    def run(self, loader, epochs):
        for epoch in range(epochs):
            summed = sum(self.step(picture) * len(picture) for (picture,) in loader)
            print(f"epoch {epoch}: mean loss {summed / len(loader.dataset):.5f}")


if __name__ == "__main__":
    torch.manual_seed(211)
    HalfTrainer().run(DataLoader(TensorDataset(pictures(512)), batch_size=128, shuffle=True), epochs=3)
