# silent: D406
# failing pumps and as many others, told apart by twelve vibration figures
import torch
from torch import nn


def pumps(n, fails, gen):
    x = torch.randn(n, 12, generator=gen)
    y = torch.zeros(n)
    y[:fails] = 1
    x[:fails, 0] += 2.6
    return x, y


def main():
    gen = torch.Generator().manual_seed(29)
    x, y = pumps(800, 400, gen)
    val_x, val_y = pumps(200, 100, gen)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    loss_fn = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(6):
        model.train()
        for rows in torch.randperm(800).split(40):
            loss = loss_fn(model(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            said = model(val_x) > 0
            accuracy = (said == (val_y > 0.5)).float().mean().item()
        print(f"epoch {epoch} accuracy {accuracy:.3f}")


main()
