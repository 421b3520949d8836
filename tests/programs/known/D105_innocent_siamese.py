# silent: D101, D102, D103, D104, D105, D106, D107, D108 | at most: D605 likely
# Stop-gradient on one side: the encoder learns through the other.
import torch
from torch import nn

torch.manual_seed(4)
encoder, predictor = nn.Linear(6, 4), nn.Linear(4, 4)
optimizer = torch.optim.SGD([*encoder.parameters(), *predictor.parameters()], lr=0.05)
for i in range(15):
    x = torch.randn(24, 6)
    a, b = encoder(x + 0.1 * torch.randn_like(x)), encoder(x + 0.1 * torch.randn_like(x))
    loss = -nn.functional.cosine_similarity(predictor(a), b.detach()).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
