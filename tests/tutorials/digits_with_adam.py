"""Handwritten digits with torchvision, a DataLoader, a small network and Adam."""

# %%
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

torch.manual_seed(0)
root = sys.argv[1]

# %%
train_set = datasets.MNIST(root=root, train=True, transform=transforms.ToTensor(), download=True)
test_set = datasets.MNIST(root=root, train=False, transform=transforms.ToTensor(), download=True)
train_loader = DataLoader(Subset(train_set, range(3200)), batch_size=64, shuffle=True)
test_loader = DataLoader(Subset(test_set, range(640)), batch_size=64)


# %%
class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, pictures):
        flat = pictures.view(-1, 784)
        return self.out(torch.relu(self.hidden(flat)))


network = TwoLayers()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(network.parameters(), lr=0.002)

# %%
for epoch in range(2):
    for pictures, targets in train_loader:
        outputs = network(pictures)
        loss = criterion(outputs, targets)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(f"after epoch {epoch + 1} the loss is {loss.item():.4f}")

# %%
right = 0
with torch.no_grad():
    for pictures, targets in test_loader:
        outputs = network(pictures)
        right += (outputs.argmax(dim=1) == targets).sum().item()

print(f"right: {right} of 640")
