# silent: D405
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(4)
torch.set_num_threads(1)


class RandomChirps(Dataset):
    """Makes a new chirp whenever one is asked for: is the pitch rising or falling?"""

    def __init__(self, length):
        self.length = length
        self.rng = None

    def __len__(self):
        return self.length

    def __getitem__(self, _):
        if self.rng is None:
            self.rng = np.random.default_rng(torch.initial_seed())
        up = self.rng.integers(2)
        t = np.linspace(0, 1, 32)
        speed = self.rng.uniform(4, 8)
        pitch = 1 + (t if up else 1 - t)
        wave = np.sin(speed * np.cumsum(pitch) / 4 + self.rng.uniform(0, 6)) + 0.1 * self.rng.normal(size=32)
        return torch.from_numpy(wave.astype("float32")), int(up)


def main():
    chirps = DataLoader(RandomChirps(384), batch_size=16, num_workers=2)
    model = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 2))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        hits = 0
        for wave, up in chirps:
            out = model(wave)
            loss = nn.functional.cross_entropy(out, up)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            hits += (out.argmax(1) == up).sum().item()
        print(epoch, hits / 384)


if __name__ == "__main__":
    main()
