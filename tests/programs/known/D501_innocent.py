# arguments: samples | silent: D501 D502 D504
# arguments: samples_by_loader | silent: D501 D502 D504
# arguments: only_dropout_on | silent: D501 D502 D504
# arguments: recalibration | silent: D501 D502 D504
# arguments: always_on | silent: D501 D502 D504
# arguments: after_eval_train | silent: D501 D502 D504
# arguments: two_streams | silent: D501 D502 D504
# arguments: pseudo_labels | silent: D501 D502 D504
import sys

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

how = sys.argv[1]
torch.manual_seed(1)
x, y = torch.randn(320, 6), torch.randn(320, 1)
loader = DataLoader(TensorDataset(x[:256], y[:256]), batch_size=32, shuffle=True)
other = DataLoader(TensorDataset(x[256:]), batch_size=16, shuffle=True)


class Always(nn.Module):
    def forward(self, h):
        return F.dropout(h, 0.2, training=True)


middle = Always() if how == "always_on" else nn.Dropout(0.2)
net = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), middle, nn.Linear(24, 1))
optimizer = optim.SGD(net.parameters(), lr=0.01)


def epoch():
    net.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        out = net(xb)
        loss = F.mse_loss(out, yb)
        if how == "two_streams":
            unlabelled = net(next(iter(other))[0])
            again = net(next(iter(other))[0])
            loss = loss + 0.1 * (unlabelled.mean() - again.mean()) ** 2
        if how == "pseudo_labels" and steps > 10:
            with torch.no_grad():
                target = net(x[256:])
            loss = loss + 0.1 * F.mse_loss(net(x[256:] + 0.1), target)
        loss.backward()
        optimizer.step()
        count()


steps = 0


def count():
    global steps
    steps += 1


for _ in range(4):
    epoch()
    if how == "after_eval_train":
        net.eval()
        with torch.no_grad():
            held = net(x[256:])
        net.train()

if how == "samples":
    with torch.no_grad():
        draws = torch.stack([net(x[256:]) for _ in range(30)])
    print("spread", draws.std(0).mean().item())
elif how == "samples_by_loader":
    held = DataLoader(TensorDataset(x[256:]), batch_size=16)
    with torch.no_grad():
        draws = [torch.cat([net(xb) for (xb,) in held]) for _ in range(10)]
    print("spread", torch.stack(draws).std(0).mean().item())
elif how == "only_dropout_on":
    net.eval()
    net[3].train()
    with torch.no_grad():
        print(net(x[256:]).mean().item())
elif how == "recalibration":
    net[1].reset_running_stats()
    net[1].momentum = None
    net.train()
    with torch.no_grad():
        for xb, _ in loader:
            net(xb)
    net.eval()
    with torch.no_grad():
        print(net(x[256:]).mean().item())
elif how == "always_on":
    net.eval()
    with torch.no_grad():
        print(net(x[256:]).mean().item())
