# expects: D107 bug line 20
import torch


def net(x, w1, w2):
    return torch.tanh(x @ w1) @ w2


torch.manual_seed(1)
x = torch.rand(50, 1) * 4 - 2
y = x**2
w1 = torch.randn(1, 12, requires_grad=True)
w2 = (0.1 * torch.randn(12, 1)).requires_grad_()

for epoch in range(40):
    w1.retain_grad()
    w2.retain_grad()
    loss = (net(x, w1, w2) - y).pow(2).mean()
    loss.backward()
    w1 = w1 - 0.05 * w1.grad
    w2 = w2 - 0.05 * w2.grad
    if epoch % 10 == 0:
        print(epoch, loss.item())
