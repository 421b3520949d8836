# expects: D604 likely line 9
# Weights set by hand to one number: every hidden unit computes the same for ever.
import torch

torch.manual_seed(0)
x = torch.randn(100, 5)
y = torch.sin(x[:, :1]) + x[:, 1:2] ** 2

W1 = torch.full((5, 16), 0.1, requires_grad=True)
b1 = torch.zeros(16, requires_grad=True)
W2 = torch.full((16, 1), 0.1, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)
parameters = [W1, b1, W2, b2]
lr = 0.05

for epoch in range(60):
    # hidden layer
    h = torch.tanh(x @ W1 + b1)
    out = h @ W2 + b2
    loss = ((out - y) ** 2).mean()
    for p in parameters:
        p.grad = None
    loss.backward()
    with torch.no_grad():
        for p in parameters:
            p -= lr * p.grad
