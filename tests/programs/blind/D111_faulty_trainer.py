# expects: D111 likely line 21
"""Large batches on a small machine: gradients of several micro-batches are added up."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AccumulatingTrainer:
    def __init__(self, model, optimizer, accumulation_steps=8):
        self.model = model
        self.optimizer = optimizer
        self.accumulation_steps = accumulation_steps
        self.criterion = nn.CrossEntropyLoss()

    def train(self, loader, epochs):
        self.optimizer.zero_grad()
        for epoch in range(epochs):
            for i, (image, label) in enumerate(loader):
                loss = self.criterion(self.model(image), label)
                loss.backward()
                if (i + 1) % self.accumulation_steps == 0:
                    self.optimizer.step()
                    self.optimizer.zero_grad()
            print(epoch, loss.item())


torch.manual_seed(0)
image = 0.5 * torch.randn(256, 1, 6, 6)
label = torch.arange(256) % 4
for k in range(4):  # a bright corner
    r, c = divmod(k, 2)
    image[label == k, 0, 3 * r : 3 * r + 3, 3 * c : 3 * c + 3] += 1
model = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, 4))
trainer = AccumulatingTrainer(model, torch.optim.SGD(model.parameters(), lr=0.1))
trainer.train(DataLoader(TensorDataset(image, label), batch_size=8, shuffle=True), epochs=5)
