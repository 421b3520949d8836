# silent: D106
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1))

    def forward(self, x):
        return self.layers(x)


class Trainer:
    def __init__(self, loader):
        self.loader = loader
        self.model = Regressor()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def reset(self):
        """Start again from new initial values."""
        self.model = Regressor()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def fit(self, epochs):
        self.reset()
        for epoch in range(epochs):
            for x, y in self.loader:
                loss = nn.functional.mse_loss(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            print(f"[{epoch}] {loss.item():.4f}")


torch.manual_seed(7)
x = torch.randn(160, 4)
y = x[:, :1] * x[:, 1:2]
Trainer(DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)).fit(5)
