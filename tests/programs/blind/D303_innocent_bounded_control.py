# silent: D303
"""Imitate a steering controller: commands lie in [-1, 1], so the output is a tanh."""

import torch
import torch.nn as nn


class Steering(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 24)
        self.fc2 = nn.Linear(24, 1)

    def forward(self, state):
        return torch.tanh(self.fc2(torch.relu(self.fc1(state))))[:, 0]


torch.manual_seed(10)
states = torch.randn(256, 4)
commands = torch.tanh(1.5 * states[:, 0] - states[:, 2])
policy = Steering()
opt = torch.optim.RMSprop(policy.parameters(), lr=3e-3)
for step in range(150):
    pick = torch.randint(0, 256, (64,))
    loss = (policy(states[pick]) - commands[pick]).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    print("mean absolute error", (policy(states) - commands).abs().mean().item())
