"""MNIST with two layers: a DataLoader over a TensorDataset, nn.Module, cross-entropy, Adam; all cores."""

import itertools

import torch
from rows import mnist_vectors
from stopwatch import Stopwatch, steps
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Network(nn.Module):
    """784 → 128 → relu → 10"""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


torch.manual_seed(0)
features, digits = (torch.from_numpy(part) for part in mnist_vectors("train"))
loader = DataLoader(TensorDataset(features, digits), batch_size=64, shuffle=True)
model = Network()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

stopwatch = Stopwatch()
for _ in range(10):
    for images, labels in itertools.islice(loader, steps(938)):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        stopwatch.step_is_over()

stopwatch.tell(loss.item())
