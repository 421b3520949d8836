# silent: D109
"""Inverse square root schedule with a linear warm-up, counted in batches."""

import torch
from torch import nn

WARM = 20


def factor(step):
    step += 1
    return min(step / WARM, (WARM / step) ** 0.5)


class Run:
    def __init__(self):
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Embedding(30, 8), nn.Flatten(), nn.Linear(8 * 5, 30))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        start = torch.randint(0, 30, (400, 1))
        self.tokens = (start + 3 * torch.arange(6)) % 30

    def go(self, epochs=5):
        for epoch in range(epochs):
            for rows in torch.randperm(400).split(40):
                batch = self.tokens[rows]
                loss = nn.functional.cross_entropy(self.model(batch[:, :5]), batch[:, 5])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
            print(epoch, loss.item(), self.scheduler.get_last_lr()[0])


Run().go()
