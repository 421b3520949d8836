# silent: D104
import torch
import torch.nn as nn
import torch.nn.functional as F


class DeepNet(nn.Module):
    def __init__(self, inputs, width, outputs):
        super().__init__()
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, width)
        self.fc4 = nn.Linear(width, outputs)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.relu(self.fc3(x))
        return self.fc4(x)


def train(net, x, y, steps):
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for step in range(steps):
        i = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        loss = F.mse_loss(net(x[i]), y[i])
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"{step:4d} {loss.item():.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.rand(400, 3)
    y = torch.stack([x[:, 0] * x[:, 1], x.amax(1)], dim=1)
    train(DeepNet(3, 24, 2), x, y, 60)
