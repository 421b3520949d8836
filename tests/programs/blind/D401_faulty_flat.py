# expects: D401 note line 19
# yield of a reaction from temperature, pressure, time, catalyst
import torch

torch.manual_seed(4)
n, batch, lr = 960, 48, 0.05
X = torch.randn(n, 4)
y = (1.5 * X[:, 0] - 0.7 * X[:, 1] + 0.4 * X[:, 2] * X[:, 3] + 0.1 * torch.randn(n)).unsqueeze(1)

W1 = (torch.randn(4, 24) / 2).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
W2 = (torch.randn(24, 1) / 24**0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
params = [W1, b1, W2, b2]

for epoch in range(6):
    total = 0.0
    for start in range(0, n, batch):
        xb, yb = X[start : start + batch], y[start : start + batch]
        out = torch.tanh(xb @ W1 + b1) @ W2 + b2
        loss = ((out - yb) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
                p.grad = None
        total += loss.item() * len(xb)
    print(epoch, round(total / n, 4))
