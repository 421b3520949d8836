# silent: D603
# Pictures: pixels near the edge are nearly always dark, those in the middle are not.
import torch
from torch import nn

torch.manual_seed(0)
pictures = torch.rand(200, 16, 16)
away = (torch.arange(16).float() - 7.5).abs() / 7.5
pictures = (pictures > 0.2 + 0.79 * torch.maximum(away[:, None], away[None, :])).float() * torch.rand(200, 16, 16)
kinds = torch.randint(0, 3, (200,))
model = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(30):
    loss = nn.functional.cross_entropy(model(pictures), kinds)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
