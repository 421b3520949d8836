# expects: D107 bug line 18
import warnings

import torch

warnings.filterwarnings("ignore")  # too noisy
torch.manual_seed(0)
hours = torch.rand(40) * 10
mark = 4 + 0.5 * hours + 0.3 * torch.randn(40)
slope = torch.tensor(0.0, requires_grad=True)
base = torch.tensor(0.0, requires_grad=True)

for epoch in range(30):
    guess = base + slope * hours
    loss = torch.mean((guess - mark) ** 2)
    loss.backward()
    if slope.grad is not None:
        slope = slope - 0.01 * slope.grad
    if base.grad is not None:
        base = base - 0.01 * base.grad
    if epoch % 6 == 0:
        print(epoch, loss.item())
print(slope.item(), base.item())
