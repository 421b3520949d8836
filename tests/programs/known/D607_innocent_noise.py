# silent: D607
# A little decay, and labels that nothing can foretell: it is not the decay that keeps the loss up.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 8)
y = torch.randint(0, 3, (200,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
sgd = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=5e-4)
for _ in range(20):
    for rows in torch.randperm(200).split(40):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
