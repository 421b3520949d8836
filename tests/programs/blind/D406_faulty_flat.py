# expects: D406 likely line 0
import torch
import torch.nn as nn

torch.manual_seed(33)
n = 600
x = torch.randn(n, 6)
y = (1.5 * x[:, 0] + x[:, 1] - x[:, 4] > 0).long()

# mix the rows
x = x[torch.randperm(n)]
y = y[torch.randperm(n)]

net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
lossf = nn.CrossEntropyLoss()
for epoch in range(20):
    s = 0.0
    for rows in torch.randperm(n).split(60):
        opt.zero_grad()
        loss = lossf(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        s += loss.item() * len(rows)
    if epoch % 5 == 4:
        print(epoch + 1, round(s / n, 4))
