# arguments: prices | silent: D303
# arguments: changes | expects: D303 likely line 18
# arguments: angles | silent: D303
# arguments: degrees | expects: D303 likely line 18
# One network for several columns of a table; what its last activation allows fits some of them.
import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 5)
base = x @ torch.randn(5) / 3
column = sys.argv[1]
y = {"prices": base.exp(), "changes": base, "angles": torch.tanh(base), "degrees": 90 * torch.tanh(base)}[column]
last = nn.Tanh() if column in ("angles", "degrees") else nn.ReLU()
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
def predict(x): return last(net(x))[:, 0]


adam = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(60):
    loss = ((predict(x) - y) ** 2).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
print(loss.item())
