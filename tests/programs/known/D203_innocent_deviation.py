# silent: D201 D202 D203 D204 D205
"""A discriminator is told how much the examples of its batch differ, so that a generator cannot give the same one every time."""

import torch
from torch import nn


class Spread(nn.Module):
    """The mean of the deviations over the examples, as one more number of each."""

    def forward(self, x):
        spread = x.std(0).mean()
        return torch.cat((x, spread.expand(len(x), 1)), 1)


class WrittenOut(nn.Module):
    """The same by its formula, as one more channel."""

    def forward(self, x):
        apart = x - x.mean(0, keepdim=True)
        spread = (apart.square().mean(0) + 1e-8).sqrt().mean()
        return torch.cat([x, spread.repeat(len(x), 1)], dim=1)


torch.manual_seed(27)
real = torch.randn(24, 6) @ torch.randn(6, 6)
generator = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 6))
discriminator = nn.Sequential(nn.Linear(6, 12), nn.LeakyReLU(0.2), Spread(), nn.Linear(13, 8), nn.LeakyReLU(0.2), WrittenOut(), nn.Linear(9, 1))
makes = torch.optim.Adam(generator.parameters(), lr=1e-3)
tells = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
for step in range(15):
    made = generator(torch.randn(24, 3))
    answers = discriminator(real), discriminator(made.detach())
    loss = sum(nn.functional.binary_cross_entropy_with_logits(a, torch.full_like(a, t)) for a, t in zip(answers, (1.0, 0.0)))
    tells.zero_grad()
    loss.backward()
    tells.step()
    answer = discriminator(made)
    loss = nn.functional.binary_cross_entropy_with_logits(answer, torch.ones_like(answer))
    makes.zero_grad()
    loss.backward()
    makes.step()
