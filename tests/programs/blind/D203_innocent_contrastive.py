# silent: D203
"""Match each picture code with its caption code; all other pairs of the batch are negatives."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.picture = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 8))
        self.caption = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 8))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, picture, caption):
        return normalize(self.picture(picture), dim=1), normalize(self.caption(caption), dim=1)


torch.manual_seed(5)
theme = torch.randn(240, 4)
pictures = theme @ torch.randn(4, 12) + 0.1 * torch.randn(240, 12)
captions = theme @ torch.randn(4, 9) + 0.1 * torch.randn(240, 9)
model = TwoTowers()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    for rows in torch.randperm(240).split(40):
        a, b = model(pictures[rows], captions[rows])
        similarity = a @ b.T * model.scale.exp()
        partner = torch.arange(len(rows))
        loss = (cross_entropy(similarity, partner) + cross_entropy(similarity.T, partner)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
