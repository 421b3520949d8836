# at most: D502 note
"""Fine-tuning: the pretrained body is frozen and kept in eval mode, only the new head is trained."""

import torch
from torch import nn


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, image):
        return torch.relu(self.norm(self.conv(image))).mean(dim=(2, 3))


torch.manual_seed(122)
label = torch.randint(0, 2, (160,))
ramp = torch.linspace(-1, 1, 8)
image = torch.where(label[:, None, None] == 1, ramp.expand(8, 8), ramp.expand(8, 8).T)[:, None]
image = image + 0.3 * torch.randn(160, 1, 8, 8)

body = Body()
with torch.no_grad():
    for _ in range(5):
        body(torch.randn(64, 1, 8, 8))  # stands for an earlier training on other pictures
body.requires_grad_(False)
body.eval()

head = nn.Linear(6, 2)
optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
for epoch in range(12):
    for rows in torch.randperm(160).split(40):
        features = body(image[rows])
        loss = nn.functional.cross_entropy(head(features), label[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("training accuracy", (head(body(image)).argmax(1) == label).float().mean().item())
