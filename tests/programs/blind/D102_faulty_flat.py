# expects: D102 bug line 20
import torch

torch.manual_seed(9)
X = torch.rand(60, 2) * 2 - 1
Y = (X[:, 0] * X[:, 1]).unsqueeze(1)

W1 = (torch.randn(2, 10) * 0.7).requires_grad_()
B1 = torch.zeros(10, requires_grad=True)
W2 = (torch.randn(10, 1) * 0.3).requires_grad_()
B2 = torch.zeros(1, requires_grad=True)
params = [W1, B1, W2, B2]

for epoch in range(50):
    H = torch.tanh(X @ W1 + B1)
    L = ((H @ W2 + B2 - Y) ** 2).mean()
    L.backward()
    with torch.no_grad():
        for p in params:
            p.grad.zero_()
            p -= 0.1 * p.grad
    if epoch % 10 == 0:
        print(epoch, L.item())
