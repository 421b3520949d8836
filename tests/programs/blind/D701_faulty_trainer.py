# expects: D701 bug line 15
"""Quality of wine (a number) from seven laboratory values, each batch standardised inside the network."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(7, 20), nn.ReLU(), nn.Linear(20, 1))

    def forward(self, batch):
        scaled = (batch - batch.mean(dim=0)) / batch.std(dim=0)
        return self.layers(scaled).squeeze(1)


class WineTrainer:
    def __init__(self, net, lr=1e-2):
        self.net = net
        self.mse = nn.MSELoss()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            running = 0.0
            for values, quality in loader:
                self.optimizer.zero_grad()
                loss = self.mse(self.net(values), quality)
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(values)
            print(f"epoch {epoch}: mean loss {running / len(loader.dataset):.4f}")


def main():
    torch.manual_seed(201)
    values = 5 + 2 * torch.randn(161, 7)
    quality = 6 + 0.3 * (values[:, 0] - values[:, 4]) + 0.2 * torch.randn(161)
    loader = DataLoader(TensorDataset(values, quality), batch_size=32, shuffle=True)
    WineTrainer(WineNet()).fit(loader, epochs=3)


main()
