# silent: D403
import torch
from torch import nn

torch.manual_seed(13)
X = torch.rand(640, 2) * 2 - 1
Y = ((X**2).sum(1, keepdim=True) < 0.6).float()

clf = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 1))
adam = torch.optim.Adam(clf.parameters(), lr=0.01)
bce = nn.BCEWithLogitsLoss()
size, stride = 64, 64
for epoch in range(8):
    order = torch.randperm(len(X))
    for i in range(0, len(X), stride):
        rows = order[i : i + size]
        adam.zero_grad()
        loss = bce(clf(X[rows]), Y[rows])
        loss.backward()
        adam.step()
    print("epoch", epoch, "loss of the last batch", round(loss.item(), 4))
