"""Digits by two convolutions: batch norm, dropout, AdamW."""

import torch
import torch.nn.functional as F
from rows import mnist_vectors
from stopwatch import Stopwatch, steps
from torch import nn


class ConvNet(nn.Module):
    """Two convolutions and a linear head."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.head(self.dropout(x.flatten(1)))


torch.set_num_threads(1)
torch.manual_seed(0)
images, digits = (torch.from_numpy(part) for part in mnist_vectors("train", 8000))
images = images.view(-1, 1, 28, 28)
model = ConvNet()
optimizer = torch.optim.AdamW(model.parameters())

stopwatch = Stopwatch()
for _ in range(steps(300)):
    rows = torch.randint(len(images), (32,))
    loss = F.cross_entropy(model(images[rows]), digits[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
