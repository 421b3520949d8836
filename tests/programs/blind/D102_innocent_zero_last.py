# silent: D102
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Fitter:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 3))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-3)

    def update(self):
        self.optimizer.step()
        self.optimizer.zero_grad()

    def fit(self, loader, epochs=4):
        for _ in range(epochs):
            for x, y in loader:
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.update()
            print(loss.item())


torch.manual_seed(8)
x = torch.randn(180, 5)
y = x[:, :3].argmax(1)
Fitter().fit(DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True))
