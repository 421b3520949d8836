# silent: D601, D503
import torch
from torch import nn, optim


def data():
    g = torch.Generator().manual_seed(46)
    x = torch.randn(300, 4, generator=g) * torch.tensor([2.0, 1.0, 1.0, 0.5])
    return x, x.sum(1, keepdim=True) + 0.1 * torch.randn(300, 1, generator=g)


def train(model, x, y, optimizer, steps):
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


if __name__ == "__main__":
    torch.manual_seed(0)
    x, y = data()
    model = nn.Linear(4, 1)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    history = train(model, x, y, sgd, 80)
    print("first", history[0], "last", history[-1])
