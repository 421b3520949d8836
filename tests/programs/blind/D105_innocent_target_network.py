# silent: D105
"""Value learning on a ring of ten places: walking right into place 9 pays one point."""

import copy
import random

import torch
from torch import nn

random.seed(0)
torch.manual_seed(0)
PLACES, GAMMA = 10, 0.9
eye = torch.eye(PLACES)

q_net = nn.Sequential(nn.Linear(PLACES, 32), nn.ReLU(), nn.Linear(32, 2))
target_net = copy.deepcopy(q_net)
optimizer = torch.optim.Adam(q_net.parameters(), lr=5e-3)

memory = []
place = 0
for _ in range(600):
    action = random.randrange(2)
    new = (place + (1 if action else -1)) % PLACES
    memory.append((place, action, float(new == 9), new))
    place = new

for step in range(120):
    batch = random.sample(memory, 32)
    s, a, r, s2 = (torch.tensor(column) for column in zip(*batch))
    with torch.no_grad():
        wanted = r + GAMMA * target_net(eye[s2]).max(dim=1).values
    value = q_net(eye[s]).gather(1, a[:, None]).squeeze(1)
    loss = nn.functional.smooth_l1_loss(value, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        target_net.load_state_dict(q_net.state_dict())
        print(step, loss.item())
