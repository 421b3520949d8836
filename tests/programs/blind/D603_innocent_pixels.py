# silent: D603
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def blobs(n):
    """Bright blobs near the middle; pixels at the border hardly ever differ from black."""
    g = torch.Generator().manual_seed(10)
    label = torch.randint(0, 2, (n,), generator=g)
    centre = 5.5 + torch.randn(n, 2, generator=g)
    size = torch.where(label == 1, 2.2, 1.2)
    grid = torch.arange(12.0)
    dy = (grid[None, :] - centre[:, :1]) ** 2
    dx = (grid[None, :] - centre[:, 1:]) ** 2
    image = torch.exp(-(dy[:, :, None] + dx[:, None, :]) / (2 * size[:, None, None] ** 2))
    return TensorDataset(image, label)


torch.manual_seed(0)
loader = DataLoader(blobs(500), batch_size=50, shuffle=True)
net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(8):
    total = 0.0
    for image, label in loader:
        loss = nn.functional.cross_entropy(net(image), label)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(label)
    print(f"epoch {epoch}: {total / 500:.4f}")
