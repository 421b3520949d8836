"""MNIST with two layers as tutorials write it: torchvision makes each picture a tensor, a DataLoader shuffles them; all cores."""

import itertools

import torch
from stopwatch import Stopwatch, steps
from torch import nn
from torch.utils.data import DataLoader
from vision import training_pictures


class Network(nn.Module):
    """784 → 128 → relu → 10"""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.view(-1, 784))))


torch.manual_seed(0)
loader = DataLoader(training_pictures(), batch_size=64, shuffle=True)
model = Network()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

stopwatch = Stopwatch()
for _ in range(3):
    for images, labels in itertools.islice(loader, steps(938)):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        stopwatch.step_is_over()

stopwatch.tell(loss.item())
