# expects: D601 likely line 13 | at most: D304 likely
# letters of a toy alphabet, recognised from noisy strokes
import torch
import torch.nn as nn

torch.manual_seed(12)
prototypes = (torch.rand(8, 36) > 0.5).float()
labels = torch.randint(0, 8, (640,))
images = prototypes[labels] + 0.3 * torch.randn(640, 36)

layers = [nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)]
net = nn.Sequential(*layers)
optimizer = torch.optim.Adam(net.parameters(), lr=2.0)
for epoch in range(4):
    mean = 0
    for idx in torch.randperm(640).split(64):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[idx]), labels[idx])
        loss.backward()
        optimizer.step()
        mean += loss.item() / 10
    print("epoch", epoch, "loss", mean)
