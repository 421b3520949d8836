# silent: D109
import torch
from torch import nn, optim


def main():
    torch.manual_seed(6)
    x = torch.linspace(-2, 2, 240).unsqueeze(1)
    y = torch.cos(2 * x)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = optim.Adam(net.parameters(), lr=0.02)
    n_epochs, batch = 10, 40
    sched = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=n_epochs * (len(x) // batch))
    for epoch in range(n_epochs):
        for idx in torch.randperm(len(x)).split(batch):
            loss = (net(x[idx]) - y[idx]).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
