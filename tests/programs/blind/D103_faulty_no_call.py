# expects: D103 bug line 36
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 8 * 8, 2)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(x.flatten(1))


def get_images(n):
    """Bright top half is class 0, bright bottom half class 1."""
    img = 0.3 * torch.randn(n, 1, 8, 8)
    lab = torch.arange(n) % 2
    img[lab == 0, :, :4] += 0.5
    img[lab == 1, :, 4:] += 0.5
    return img, lab


def main():
    torch.manual_seed(1)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for i in range(30):
        img, lab = get_images(16)
        optimizer.zero_grad()
        loss = criterion(net(img), lab)
        loss.backward()
        optimizer.step
        if i % 10 == 9:
            print("iteration", i + 1, "loss", loss.item())


main()
