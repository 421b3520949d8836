"""Points on a circle by a GAN: two models, two optimizers, a detached batch."""

import torch
from stopwatch import Stopwatch, steps
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
discriminator = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
for_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
for_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
criterion = nn.BCEWithLogitsLoss()
real, fake = torch.ones(64, 1), torch.zeros(64, 1)

stopwatch = Stopwatch()
for _ in range(steps(4000)):
    angle = torch.rand(64, 1) * 2 * torch.pi
    points = torch.cat([angle.cos(), angle.sin()], 1)
    made = generator(torch.randn(64, 8))

    for_discriminator.zero_grad()
    loss_d = criterion(discriminator(points), real) + criterion(discriminator(made.detach()), fake)
    loss_d.backward()
    for_discriminator.step()

    for_generator.zero_grad()
    loss_g = criterion(discriminator(made), real)
    loss_g.backward()
    for_generator.step()
    stopwatch.step_is_over()

stopwatch.tell(loss_g.item())
