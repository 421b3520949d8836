# silent: D105
"""Two noisy views of one row should land on the same spot; the other view is held still (stop-gradient)."""

import torch
from torch import nn
from torch.nn.functional import cosine_similarity

torch.manual_seed(13)
encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
predictor = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
optimizer = torch.optim.SGD([*encoder.parameters(), *predictor.parameters()], lr=0.05)
rows = torch.randn(200, 10)

for epoch in range(4):
    for batch in rows.split(50):
        z1 = encoder(batch + 0.1 * torch.randn_like(batch))
        z2 = encoder(batch + 0.1 * torch.randn_like(batch))
        p1, p2 = predictor(z1), predictor(z2)
        loss = -(cosine_similarity(p1, z2.detach()).mean() + cosine_similarity(p2, z1.detach()).mean()) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
