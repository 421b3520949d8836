# silent: D101, D102, D103, D109, D110, D111
# Two models, a scaler that is switched off, and one that is on.
import torch
from torch import nn

torch.manual_seed(4)
a, b = nn.Linear(4, 1), nn.Linear(4, 1)
opt_a, opt_b = torch.optim.SGD(a.parameters(), lr=0.05), torch.optim.SGD(b.parameters(), lr=0.05)
off, on = torch.amp.GradScaler("cpu", enabled=False), torch.amp.GradScaler("cpu")
for i in range(15):
    x = torch.randn(20, 4)
    opt_a.zero_grad()
    off.scale((a(x).squeeze(1) - x.sum(1)).square().mean()).backward()
    nn.utils.clip_grad_norm_(a.parameters(), 1.0)
    opt_a.step()
    opt_b.zero_grad()
    on.scale((b(x).squeeze(1) - x.sum(1)).square().mean()).backward()
    on.step(opt_b)
    on.update()
