# silent: D104
"""Fine-tune only a small adapter on top of an existing feature extractor."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Adapted(nn.Module):
    def __init__(self, dim=10, classes=3):
        super().__init__()
        self.extractor = nn.Sequential(nn.Linear(dim, 16), nn.ReLU())
        self.adapter = nn.Linear(16, 16)
        self.classifier = nn.Linear(16, classes)

    def forward(self, x):
        features = self.extractor(x)
        features = features + self.adapter(features)
        return self.classifier(features)


class FineTuner:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.adapter.parameters(), lr=0.01)

    def train(self, loader, epochs):
        for epoch in range(epochs):
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()
            print(f"epoch {epoch} loss {loss.item():.4f}")


torch.manual_seed(2)
x = torch.randn(150, 10)
y = x[:, :3].argmax(dim=1)
FineTuner(Adapted()).train(DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True), epochs=4)
