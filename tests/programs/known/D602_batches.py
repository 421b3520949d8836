# expects: D602 note line 24
# A classifier in batches under Adam whose rate is far too low for the two epochs that it has.
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(20, 50)
        self.two = nn.Linear(50, 5)

    def forward(self, x):
        return self.two(F.relu(self.one(x)))


def main(rate=1e-7):
    torch.manual_seed(0)
    labels = torch.randint(0, 5, (640,))
    x = torch.randn(5, 20)[labels] + 0.5 * torch.randn(640, 20)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(2):
        for xb, yb in DataLoader(TensorDataset(x, labels), batch_size=32, shuffle=True):
            loss = F.cross_entropy(net(xb), yb)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    print(loss.item())


main()
