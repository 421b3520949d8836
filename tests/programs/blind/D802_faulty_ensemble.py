# expects: D802 note line 11
# an ensemble of forty tiny nets, trained side by side by one optimizer
import torch
from torch import nn, optim

torch.manual_seed(53)
x = torch.linspace(-2, 2, 64).unsqueeze(1)
y = x.abs() + 0.1 * torch.randn(64, 1)
members = [nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)) for _ in range(40)]
params = [p for m in members for p in m.parameters()]
opt = optim.AdamW(params, lr=0.02, foreach=False)
for step in range(60):
    opt.zero_grad()
    loss = sum(nn.functional.mse_loss(m(x), y) for m in members) / 40
    loss.backward()
    opt.step()
    if step % 20 == 19:
        print(step + 1, loss.item())
