# expects: D402 bug line 0
"""Functions on bare tensors: the slices overlap."""

import torch

torch.manual_seed(5)
X = torch.randn(300, 4)
t = (X[:, 0] * X[:, 1] > 0).float()
X_train, t_train = X[:250], t[:250]
X_test, t_test = X[200:], t[200:]
W1 = (torch.randn(4, 24) * 0.5).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
W2 = (torch.randn(24) * 0.2).requires_grad_()


def predict(x):
    return torch.relu(x @ W1 + b1) @ W2


for epoch in range(40):
    for rows in torch.randperm(250).split(50):
        xb = X_train[rows]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(predict(xb), t_train[rows])
        grads = torch.autograd.grad(loss, (W1, b1, W2))
        with torch.no_grad():
            for p, g in zip((W1, b1, W2), grads):
                p -= 0.5 * g
with torch.no_grad():
    print("accuracy", ((predict(X_test) > 0) == (t_test > 0.5)).float().mean().item())
