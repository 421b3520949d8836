# arguments: log_softmax | at most: D301 note
# arguments: reporting | silent: D301
# arguments: attention | silent: D301
# arguments: distillation | silent: D301
# arguments: gate | silent: D301
# Softmax and sigmoid where they belong: inside the model, beside the loss, and a log_softmax that cross-entropy does not mind.
import sys

import torch
import torch.nn.functional as F
from torch import nn

kind = sys.argv[1]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.out = nn.Linear(6, 6), nn.Linear(6, 3)
        self.gate = nn.Linear(6, 3)

    def forward(self, x):
        if kind == "attention":
            weights = torch.softmax(self.query(x) @ x.T / 6**0.5, dim=-1)
            x = weights @ x
        scores = self.out(x)
        if kind == "log_softmax":
            return F.log_softmax(scores, dim=1)
        return scores * torch.sigmoid(self.gate(x)) if kind == "gate" else scores


torch.manual_seed(4)
y = torch.randint(0, 3, (90,))
x = torch.randn(3, 6)[y] * 2 + torch.randn(90, 6)
net, teacher = Net(), nn.Linear(6, 3)
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(30):
    sgd.zero_grad()
    scores = net(x)
    loss = F.cross_entropy(scores, y)
    if kind == "reporting":
        confidence = torch.softmax(scores, dim=1).max(1).values.mean()
        print(confidence.item())
    if kind == "distillation":
        soft = torch.softmax(teacher(x).detach() / 2, dim=1)
        loss = loss + F.kl_div(F.log_softmax(scores / 2, dim=1), soft, reduction="batchmean")
    loss.backward()
    sgd.step()
