# silent: D101, D102, D103, D104, D105, D106, D107, D108
# What the generator made is used again after the other model was updated.
import torch
from torch import nn

torch.manual_seed(21)
make, judge = nn.Linear(4, 2), nn.Linear(2, 1)
opt_make, opt_judge = torch.optim.Adam(make.parameters(), lr=0.01), torch.optim.Adam(judge.parameters(), lr=0.01)
loss_of = nn.BCEWithLogitsLoss()
for i in range(15):
    real, fake = torch.randn(16, 2) + 2, make(torch.randn(16, 4))
    opt_judge.zero_grad()
    loss_of(judge(real), torch.ones(16, 1)).backward()
    loss_of(judge(fake.detach()), torch.zeros(16, 1)).backward()
    opt_judge.step()
    opt_make.zero_grad()
    loss_of(judge(fake), torch.ones(16, 1)).backward()
    opt_make.step()
