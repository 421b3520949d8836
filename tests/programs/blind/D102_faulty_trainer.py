# expects: D102 bug line 32
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Parity(Dataset):
    """Eight bits; the label says whether the first two differ."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.bits = torch.randint(0, 2, (n, 8), generator=g).float()
        self.label = (self.bits[:, 0] != self.bits[:, 1]).long()

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return self.bits[i], self.label[i]


class Learner:
    def __init__(self, net):
        self.net = net
        self.opt = torch.optim.Adam(net.parameters(), lr=1e-2)
        self.loss_fn = nn.CrossEntropyLoss()

    def learn(self, bits, label):
        out = self.net(bits)
        loss = self.loss_fn(out, label)
        loss.backward()
        self.opt.zero_grad()
        self.opt.step()
        return loss.item()

    def run(self, loader, epochs):
        for epoch in range(epochs):
            losses = [self.learn(bits, label) for bits, label in loader]
            print(f"epoch {epoch + 1}/{epochs}  {sum(losses) / len(losses):.4f}")


torch.manual_seed(0)
loader = DataLoader(Parity(200, seed=1), batch_size=25, shuffle=True)
Learner(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))).run(loader, 8)
