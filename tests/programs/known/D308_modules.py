# arguments: plain | expects: D308 note line 19
# arguments: shifted | silent: D308
# arguments: logsoftmax | expects: D308 note line 23
# arguments: epsilon | silent: D308
# arguments: built_in | silent: D308
# A loss module that writes the log-softmax out in several ways.
import sys

import torch
from torch import nn


class Loss(nn.Module):
    def forward(self, scores, y):
        kind = sys.argv[1]
        if kind in ("plain", "shifted"):
            if kind == "shifted":
                scores = scores - scores.amax(dim=1, keepdim=True)
            total = scores.exp().sum(dim=1).log()
            return (total - scores.gather(1, y.unsqueeze(1)).squeeze(1)).mean()
        if kind == "built_in":
            return nn.functional.cross_entropy(scores, y)
        p = scores.softmax(1) if kind == "epsilon" else torch.log(scores.softmax(1))
        log_p = torch.log(p + 1e-8) if kind == "epsilon" else p
        return -log_p[torch.arange(len(y)), y].mean()


torch.manual_seed(0)
y = torch.randint(0, 4, (120,))
x = torch.randn(4, 6)[y] * 2 + torch.randn(120, 6)
net, criterion = nn.Linear(6, 4), Loss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(25):
    optimizer.zero_grad()
    loss = criterion(net(x), y)
    loss.backward()
    optimizer.step()
