# expects: D111 likely line 0
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_data():
    torch.manual_seed(27)
    t = torch.rand(300, 1) * 6
    return TensorDataset(t, torch.cos(t))


def main(accumulate=4, epochs=6):
    loader = DataLoader(make_data(), batch_size=30, shuffle=True)  # 10 batches
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        optimizer.zero_grad()
        for n, (t, target) in enumerate(loader, start=1):
            loss = nn.functional.mse_loss(net(t), target) / accumulate
            loss.backward()
            if n % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(epoch, loss.item() * accumulate)


main()
