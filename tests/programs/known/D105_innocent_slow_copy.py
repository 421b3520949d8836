# silent: D101, D102, D103, D104, D105, D106, D107, D108
# A target network inside the model, moved by hand.
import copy

import torch
from torch import nn


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.online = nn.Linear(4, 2)
        self.target = copy.deepcopy(self.online)


torch.manual_seed(5)
agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=0.01)
for i in range(30):
    s, s2, r = torch.randn(16, 4), torch.randn(16, 4), torch.randn(16)
    aim = r + 0.9 * agent.target(s2).max(1).values.detach()
    loss = nn.functional.smooth_l1_loss(agent.online(s).max(1).values, aim)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(agent.target.parameters(), agent.online.parameters()):
            slow.lerp_(fast, 0.05)
