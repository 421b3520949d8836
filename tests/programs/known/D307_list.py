# arguments: sum | expects: D307 note line 20
# arguments: mean | silent: D307
# An autoencoder whose losses are put into a list: one is summed over every pixel, the other is a mean.
import sys

import torch
from torch import nn


class Trainer:
    def __init__(self):
        self.encode, self.decode = nn.Linear(400, 8), nn.Linear(8, 400)
        self.optimizer = torch.optim.SGD([*self.encode.parameters(), *self.decode.parameters()], lr=1e-5)

    def step(self, x):
        code = self.encode(x)
        wrong = (self.decode(code) - x) ** 2
        losses = [wrong.sum() if sys.argv[1] == "sum" else wrong.mean()]
        losses.append(((code.mean(0) - x[:, :8].mean(0)) ** 2).mean())
        loss = torch.stack(losses).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
trainer = Trainer()
for step in range(20):
    print(trainer.step(torch.rand(32, 400)))
