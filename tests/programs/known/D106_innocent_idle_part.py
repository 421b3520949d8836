# at most: D104 note
# silent: D101, D102, D103, D105, D106, D107, D108
# One part of the model waits for later, and an embedding that nobody trains passes gradients on.
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder, self.later = nn.Linear(4, 3), nn.Linear(3, 4), nn.Linear(3, 2)


torch.manual_seed(10)
model, table = Model(), nn.Embedding(10, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(12):
    x = table(torch.randint(0, 10, (16,)))
    loss = (model.decoder(model.encoder(x)) - x.detach()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
