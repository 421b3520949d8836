# expects: D109 likely line 23
import torch
import torch.nn as nn
import torch.nn.functional as F


def get_batches(x, y, size):
    order = torch.randperm(len(x))
    for i in range(0, len(x), size):
        yield x[order[i : i + size]], y[order[i : i + size]]


def train(model, x, y, num_epochs=10, lr=0.02, decay_per_epoch=0.7):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=decay_per_epoch)
    for epoch in range(num_epochs):
        model.train()
        for xb, yb in get_batches(x, y, 20):
            loss = F.binary_cross_entropy_with_logits(model(xb).squeeze(1), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        print(f"epoch {epoch} lr {scheduler.get_last_lr()[0]:.2g} loss {loss.item():.4f}")


torch.manual_seed(8)
x = torch.rand(300, 2) * 2 - 1
y = ((x**2).sum(1) < 0.5).float()
train(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)), x, y)
