# silent: D103
"""Load a checkpoint, look at the test loss, done."""

import io

import torch
from torch import nn


def build():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


torch.manual_seed(0)
stored = io.BytesIO()
model, optimizer = build()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, stored)

stored.seek(0)
model, optimizer = build()
checkpoint = torch.load(stored)
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])

model.eval()
x, y = torch.randn(200, 4), torch.randn(200, 1)
with torch.no_grad():
    losses = [nn.functional.mse_loss(model(a), b).item() for a, b in zip(x.split(20), y.split(20))]
print("test loss", sum(losses) / len(losses))
