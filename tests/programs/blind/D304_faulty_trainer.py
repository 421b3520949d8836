# expects: D304 bug line 17 | at most: D204 bug
"""Does the machine fail within a week? Twelve vibration readings per machine."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class FailureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(12, 24)
        self.out = nn.Linear(24, 1)

    def forward(self, readings):
        h = torch.relu(self.inner(readings))
        return torch.softmax(self.out(h), dim=1)


class Runner:
    def __init__(self, model, lr):
        self.model = model
        self.bce = nn.BCELoss()
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)

    def one_epoch(self, loader):
        total = 0.0
        for readings, fails in loader:
            self.opt.zero_grad()
            loss = self.bce(self.model(readings), fails)
            loss.backward()
            self.opt.step()
            total += loss.item() * len(fails)
        return total / len(loader.dataset)


def main():
    torch.manual_seed(31)
    readings = torch.randn(256, 12)
    fails = (readings[:, :3].sum(1, keepdim=True) > 0.5).float()
    loader = DataLoader(TensorDataset(readings, fails), batch_size=32, shuffle=True)
    runner = Runner(FailureNet(), lr=1e-2)
    for epoch in range(5):
        print("epoch", epoch, "mean loss over the epoch's rows", runner.one_epoch(loader))


main()
