# expects: D205 likely line 22
"""Small image classifier with dropout before the last layer."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3)
        self.fc1 = nn.Linear(6 * 4 * 4, 20)
        self.drop = nn.Dropout2d(0.3)
        self.fc2 = nn.Linear(20, 3)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.drop(x)
        return self.fc2(x)


class Trainer:
    def __init__(self, model, loader):
        self.model, self.loader = model, loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def epoch(self):
        self.model.train()
        for image, label in self.loader:
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(image), label)
            loss.backward()
            self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
label = torch.arange(150) % 3
image = 0.3 * torch.randn(150, 1, 10, 10)
for k in range(3):
    image[label == k, :, 3 * k : 3 * k + 3] += 1
trainer = Trainer(Net(), DataLoader(TensorDataset(image, label), batch_size=30, shuffle=True))
for epoch in range(5):
    print(epoch, trainer.epoch())
