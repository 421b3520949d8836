# silent: D101, D102, D103, D104, D105, D106, D107, D108
# The learning rate itself is learned, through five steps that are unrolled.
import torch

torch.manual_seed(13)
x = torch.randn(40, 3)
start = torch.zeros(3, requires_grad=True)
rate = torch.tensor(0.01, requires_grad=True)
outer = torch.optim.SGD([rate], lr=0.001)
for epoch in range(6):
    w = start
    for step in range(5):
        loss = (x @ w - x.sum(1)).pow(2).mean()
        (g,) = torch.autograd.grad(loss, w, create_graph=True)
        w = w - rate * g
    outer.zero_grad()
    (x @ w - x.sum(1)).pow(2).mean().backward()
    outer.step()
    start.grad = None
