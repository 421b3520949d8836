# silent: D604
# Weights that begin at zero for each inner training anew: what is trained is its learning rate.
import torch

torch.manual_seed(0)
x = torch.randn(64, 5)
y = x @ torch.randn(5, 1)
rate = torch.tensor(0.1, requires_grad=True)
start = torch.zeros(5, 1, requires_grad=True)
adam = torch.optim.Adam([rate], lr=0.01)
for _ in range(20):
    w = start
    for _ in range(3):
        inner = ((x[:32] @ w - y[:32]) ** 2).mean()
        (gradient,) = torch.autograd.grad(inner, w, create_graph=True)
        w = w - rate * gradient
    outer = ((x[32:] @ w - y[32:]) ** 2).mean()
    adam.zero_grad()
    outer.backward()
    adam.step()
