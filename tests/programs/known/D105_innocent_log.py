# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(6)
model = nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
seen, curve = [], []
for i in range(12):
    x = torch.randn(10, 3)
    out = model(x)
    loss = nn.functional.cross_entropy(out, (x[:, 0] > 0).long())
    seen.append(out.detach().numpy().argmax(1))
    curve.append(torch.tensor(loss.item()))
    accuracy = (out.argmax(1) == (x[:, 0] > 0).long()).float().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(torch.stack(curve).mean(), accuracy)
