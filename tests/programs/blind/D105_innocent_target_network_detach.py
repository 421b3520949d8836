# silent: D105
import torch
import torch.nn as nn


class Momentum(nn.Module):
    """Online network chases a slow copy of itself (and real targets)."""

    def __init__(self):
        super().__init__()
        self.online = nn.Linear(6, 4)
        self.slow = nn.Linear(6, 4)
        self.slow.load_state_dict(self.online.state_dict())

    def forward(self, x):
        return self.online(x), self.slow(x).detach()

    @torch.no_grad()
    def follow(self, rate=0.05):
        for a, b in zip(self.slow.parameters(), self.online.parameters()):
            a.lerp_(b, rate)


torch.manual_seed(1)
x = torch.randn(96, 6)
y = torch.tanh(x[:, :4])
model = Momentum()
opt = torch.optim.SGD(model.online.parameters(), lr=0.1)
for step in range(40):
    fast, slow = model(x + 0.05 * torch.randn_like(x))
    loss = nn.functional.mse_loss(fast, y) + 0.1 * nn.functional.mse_loss(fast, slow)
    opt.zero_grad()
    loss.backward()
    opt.step()
    model.follow()
print(loss.item())
