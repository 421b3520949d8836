# silent: D108
import torch
from torch import nn

# same loss, back twice inside one step: first to see the per-layer norms, then for real
torch.manual_seed(16)
x, y = torch.randn(80, 4), torch.randn(80, 2)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(20):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    norms = [p.grad.norm().item() for p in model.parameters()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 5 == 0:
        print(epoch, loss.item(), max(norms))
