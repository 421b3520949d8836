# silent: D302
"""Tell apart three kinds of generated 8x8 pictures: horizontal bars, vertical bars, blobs."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.kinds = torch.randint(0, 3, (count,), generator=g)
        self.images = torch.empty(count, 1, 8, 8)
        grid = torch.arange(8).float()
        for i, kind in enumerate(self.kinds.tolist()):
            offset = 7 * torch.rand((), generator=g)
            line = torch.exp(-((grid - offset) ** 2))
            if kind == 0:
                image = line[:, None].expand(8, 8)
            elif kind == 1:
                image = line[None, :].expand(8, 8)
            else:
                image = line[:, None] * line[None, :]
            self.images[i, 0] = image + 0.05 * torch.randn(8, 8, generator=g)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.images[i], self.kinds[i]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(6 * 4 * 4, 3)
        self.activation = nn.LogSoftmax(dim=1)

    def forward(self, image):
        h = self.pool(torch.relu(self.conv(image)))
        return self.activation(self.out(h.flatten(1)))


class Experiment:
    def __init__(self, epochs=5):
        self.epochs = epochs
        self.net = ConvNet()
        self.loss_fn = nn.NLLLoss()
        self.optim = torch.optim.Adam(self.net.parameters(), lr=3e-3)

    def run_epoch(self, loader):
        total = 0.0
        for images, kinds in loader:
            self.optim.zero_grad()
            scores = self.net(images)
            loss = self.loss_fn(scores, kinds)
            loss.backward()
            self.optim.step()
            total += loss.item() * len(kinds)
        return total / len(loader.dataset)

    def run(self):
        loader = DataLoader(Pictures(240, seed=4), batch_size=40, shuffle=True)
        for epoch in range(self.epochs):
            print("epoch", epoch, "average loss", round(self.run_epoch(loader), 4))


torch.manual_seed(2)
Experiment().run()
