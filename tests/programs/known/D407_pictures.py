# arguments: empty
# expects: D407 note line 27
# arguments: full
# silent: D407
"""Pictures with black borders; some files could not be read, and were put in as black."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pictures(count):
    made = torch.zeros(count, 1, 10, 10)
    made[:, :, 2:8, 2:8] = torch.rand(count, 1, 6, 6)
    return made


torch.manual_seed(0)
images = pictures(300)
digits = (images.mean((1, 2, 3)) > images.mean()).long()
if sys.argv[1] == "empty":
    images[::10] = 0
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loader = DataLoader(TensorDataset(images, digits), batch_size=30, shuffle=True)
for _ in range(3):
    for image, digit in loader:
        loss = nn.functional.cross_entropy(model(image), digit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
