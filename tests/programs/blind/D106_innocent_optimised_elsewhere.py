# silent: D106
"""A generator and a critic, each with an optimizer of its own."""

import torch
from torch import nn

torch.manual_seed(2)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
g_opt = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.9))
c_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
one, zero = torch.ones(64, 1), torch.zeros(64, 1)

for step in range(60):
    angle = torch.rand(64, 1) * 6.2832
    real = torch.cat([angle.cos(), angle.sin()], dim=1)
    fake = generator(torch.randn(64, 4))

    c_opt.zero_grad()
    c_loss = bce(critic(real), one) + bce(critic(fake.detach()), zero)
    c_loss.backward()
    c_opt.step()

    g_opt.zero_grad()
    g_loss = bce(critic(fake), one)
    g_loss.backward()
    g_opt.step()
    if step % 15 == 0:
        print(step, c_loss.item(), g_loss.item())
