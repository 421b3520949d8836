# expects: D204 bug line 12 | at most: D304 bug
import torch

torch.manual_seed(1)
X = torch.randn(80, 2)
t = (X[:, :1] > X[:, 1:]).float()
W = torch.randn(2, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

for epoch in range(40):
    z = X @ W + b
    p = torch.softmax(z, dim=1)
    loss = ((p - t) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        W -= 1.0 * W.grad
        b -= 1.0 * b.grad
    W.grad = b.grad = None
    if epoch % 10 == 0:
        print(epoch, loss.item(), ((p > 0.5) == (t > 0.5)).float().mean().item())
