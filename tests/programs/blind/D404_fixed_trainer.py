# silent: D404
"""Bright squares and bright discs, pictures of bytes."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def draw(n, seed):
    g = torch.Generator().manual_seed(seed)
    yy, xx = torch.meshgrid(torch.arange(12), torch.arange(12), indexing="ij")
    pics, kinds = [], []
    for _ in range(n):
        kind = int(torch.randint(0, 2, (1,), generator=g))
        cy, cx = torch.randint(4, 8, (2,), generator=g).tolist()
        dy, dx = (yy - cy).abs(), (xx - cx).abs()
        shape = (dy < 3) & (dx < 3) if kind == 0 else dy**2 + dx**2 < 10
        pic = 180 * shape + torch.randint(0, 60, (12, 12), generator=g)
        pics.append(pic.to(torch.uint8))
        kinds.append(kind)
    return torch.stack(pics)[:, None], torch.tensor(kinds)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8 * 5 * 5, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(x.flatten(1))


class Trainer:
    def __init__(self):
        train_x, train_y = draw(400, seed=1)
        test_x, test_y = draw(120, seed=2)
        self.train_batches = DataLoader(TensorDataset(train_x.float() / 255, train_y), 40, shuffle=True)
        self.test_batches = DataLoader(TensorDataset(test_x.float() / 255, test_y), 60)
        self.net = Net()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=5e-3)

    def train(self):
        self.net.train()
        for x, y in self.train_batches:
            self.optimizer.zero_grad()
            F.cross_entropy(self.net(x), y).backward()
            self.optimizer.step()

    def test(self):
        self.net.eval()
        loss = right = 0
        with torch.no_grad():
            for x, y in self.test_batches:
                out = self.net(x)
                loss += F.cross_entropy(out, y, reduction="sum").item()
                right += (out.argmax(1) == y).sum().item()
        n = len(self.test_batches.dataset)
        return loss / n, right / n


if __name__ == "__main__":
    torch.manual_seed(0)
    trainer = Trainer()
    for epoch in range(6):
        trainer.train()
        print(epoch, "test loss %.3f accuracy %.3f" % trainer.test())
