# expects: D107 bug line 18
# silent: D102, D103, D104, D105, D106, D108
# retain_grad makes it run; every step's graph holds all steps before.
import torch

torch.manual_seed(1)


class Line:
    def __init__(self):
        self.w = torch.zeros(2, requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)

    def predict(self, x):
        return x @ self.w + self.b

    def update(self, lr):
        self.w = self.w - lr * self.w.grad
        self.b = self.b - lr * self.b.grad
        self.w.retain_grad()
        self.b.retain_grad()


line = Line()
x = torch.randn(30, 2)
y = x.sum(1) + 1
for i in range(12):
    loss = torch.mean((line.predict(x) - y) ** 2)
    loss.backward()
    line.update(0.05)
