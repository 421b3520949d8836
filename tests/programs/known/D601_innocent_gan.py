# silent: D601 D602
# Two networks against one another: neither loss has to fall.
import torch
from torch import nn

torch.manual_seed(0)
maker = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(), nn.Linear(16, 2))
judge = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 1))
making = torch.optim.Adam(maker.parameters(), lr=1e-3)
judging = torch.optim.Adam(judge.parameters(), lr=1e-3)
score = nn.BCEWithLogitsLoss()
for step in range(100):
    real = torch.randn(32, 2) * 0.3 + 2.0
    fake = maker(torch.randn(32, 4))
    judging.zero_grad()
    loss = score(judge(real), torch.ones(32, 1)) + score(judge(fake.detach()), torch.zeros(32, 1))
    loss.backward()
    judging.step()
    making.zero_grad()
    trick = score(judge(fake), torch.ones(32, 1))
    trick.backward()
    making.step()
