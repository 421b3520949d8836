# expects: D604 likely line 20
"""Distance of a point to a wall with a corner; custom initial values."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.fc1 = nn.Linear(2, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(layer):
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.weight, 0.05)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


class Trainer:
    def __init__(self, net):
        g = torch.Generator().manual_seed(5)
        x = 2 * torch.rand(500, 2, generator=g) - 1
        y = torch.minimum(x[:, :1].abs(), (x[:, 1:] - 0.3).abs())
        self.net = net
        self.loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
        self.optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def fit(self, epochs=8):
        for epoch in range(epochs):
            total = 0.0
            for x, y in self.loader:
                loss = nn.functional.mse_loss(self.net(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(x)
            print(f"epoch {epoch}: {total / 500:.5f}")


torch.manual_seed(0)
Trainer(Net()).fit()
