# silent: D308
"""Sort letters by postcode region. The features are raw grey-value sums of six zones of the envelope."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CategoricalLoss(nn.Module):
    """Mean negative log of the softmax at the target."""

    def forward(self, scores, target):
        logs = scores - scores.logsumexp(dim=1, keepdim=True)
        picked = logs.gather(1, target[:, None])
        return -picked.mean()


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, zones):
        return self.linear(zones)


class SortingTrainer:
    def __init__(self):
        self.sorter = Sorter()
        self.loss = CategoricalLoss()
        self.optimizer = torch.optim.SGD(self.sorter.parameters(), lr=0.01)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            for zones, region in loader:
                self.optimizer.zero_grad()
                loss = self.loss(self.sorter(zones), region)
                loss.backward()
                self.optimizer.step()
            print("epoch", epoch + 1, "last loss", loss.item())


def envelopes(n):
    g = torch.Generator().manual_seed(93)
    region = torch.randint(0, 4, (n,), generator=g)
    base = 400 * torch.rand(4, 6, generator=g)
    return base[region] + 80 * torch.randn(n, 6, generator=g), region


torch.manual_seed(93)
zones, region = envelopes(160)
SortingTrainer().fit(DataLoader(TensorDataset(zones, region), batch_size=20, shuffle=True), epochs=3)
