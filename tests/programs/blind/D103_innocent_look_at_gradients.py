# silent: D103
import torch
from torch import nn

torch.manual_seed(10)
layers = [nn.Linear(5, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)]
model = nn.Sequential(*layers)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(100, 5)
y = x.prod(dim=1, keepdim=True)

# how large are the gradients before anything moves?
nn.functional.mse_loss(model(x), y).backward()
for name, p in model.named_parameters():
    print(f"{name:10s} {p.grad.norm().item():.5f}")
opt.zero_grad()

for _ in range(15):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    opt.step()
print(loss.item())
