"""Two networks, two optimizers, and a detach between them."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
critic = nn.Sequential(nn.Linear(1, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
of_generator = torch.optim.Adam(generator.parameters(), lr=1e-2)
of_critic = torch.optim.Adam(critic.parameters(), lr=1e-2)
criterion = nn.BCEWithLogitsLoss()
for step in range(5):
    real = torch.randn(16, 1) * 2 + 3
    fake = generator(torch.randn(16, 2))
    of_critic.zero_grad()
    critic_loss = criterion(critic(real), torch.ones(16, 1)) + criterion(critic(fake.detach()), torch.zeros(16, 1))
    critic_loss.backward()
    of_critic.step()
    of_generator.zero_grad()
    generator_loss = criterion(critic(fake), torch.ones(16, 1))
    generator_loss.backward()
    of_generator.step()
    print(step, critic_loss.item(), generator_loss.item())
for parameter in (*generator.parameters(), *critic.parameters()):
    print(parameter.detach().numpy().tobytes().hex())
