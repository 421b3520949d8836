# expects: D110 bug line 14
# silent: D101, D102, D103, D109, D111
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for x in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = (model(x).squeeze(1) - x.sum(1)).abs().mean()
        scaler.scale(loss).backward()
        optimizer.step()


torch.manual_seed(3)
train(nn.Linear(4, 1), [torch.randn(16, 4) for _ in range(15)])
