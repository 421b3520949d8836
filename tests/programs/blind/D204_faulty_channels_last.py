# expects: D204 likely line 14
import torch
import torch.nn as nn
import torch.nn.functional as F


class ColourNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 10, kernel_size=3, padding=1)
        self.fc = nn.Linear(10, 3)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = x.mean(dim=(2, 3))
        return self.fc(x)


def images(n):
    # as an image library returns them: height, width, colour
    colour = torch.randint(0, 3, (n,))
    x = 0.3 * torch.rand(n, 8, 8, 3)
    x += 0.5 * F.one_hot(colour, 3).float()[:, None, None, :]
    return x, colour


def main():
    torch.manual_seed(3)
    x, colour = images(160)
    model = ColourNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(6):
        for i in range(0, 160, 20):
            loss = F.cross_entropy(model(x[i : i + 20]), colour[i : i + 20])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


main()
