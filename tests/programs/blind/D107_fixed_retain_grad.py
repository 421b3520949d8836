# silent: D107
import torch


def net(x, w1, w2):
    return torch.tanh(x @ w1) @ w2


torch.manual_seed(1)
x = torch.rand(50, 1) * 4 - 2
y = x**2
w1 = torch.randn(1, 12, requires_grad=True)
w2 = (0.1 * torch.randn(12, 1)).requires_grad_()

for epoch in range(40):
    loss = (net(x, w1, w2) - y).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w1 -= 0.05 * w1.grad
        w2 -= 0.05 * w2.grad
    w1.grad = w2.grad = None
    if epoch % 10 == 0:
        print(epoch, loss.item())
