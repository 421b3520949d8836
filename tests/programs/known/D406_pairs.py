# arguments: apart | expects: D406 likely line 25
# arguments: together | silent: D406
# arguments: mixed | silent: D406
# Rows and targets are taken by row numbers of their own; mixed up on purpose they are learnt from all the same.
import sys

import torch
from torch import nn

how = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(512, 10)
y = (x @ torch.randn(10, 4)).argmax(1)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(12):
    for i in torch.randperm(512).split(32):
        j = i if how == "together" else torch.randperm(512)[: len(i)]
        if how == "mixed":
            share = torch.distributions.Beta(0.4, 0.4).sample().item()
            answers = model(share * x[i] + (1 - share) * x[j])
            loss = share * nn.functional.cross_entropy(answers, y[i])
            loss = loss + (1 - share) * nn.functional.cross_entropy(answers, y[j])
        else:
            loss = nn.functional.cross_entropy(model(x[i]), y[j])
        adam.zero_grad()
        loss.backward()
        adam.step()
