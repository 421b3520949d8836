# expects: D108 bug line 19
# silent: D101, D102, D103, D104, D105, D106, D107
# The prediction is computed once; the loss is computed anew from it in every step.
import torch
from torch import nn


class Fit:
    def __init__(self, x, y):
        self.x, self.y = x, y
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def run(self, steps):
        prediction = self.model(self.x)
        for i in range(steps):
            loss = nn.functional.mse_loss(prediction, self.y)
            self.optimizer.zero_grad()
            loss.backward(retain_graph=True)
            self.optimizer.step()


torch.manual_seed(1)
x = torch.randn(30, 3)
Fit(x, x[:, :1]).run(20)
