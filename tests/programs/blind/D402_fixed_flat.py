# silent: D402
import torch

# 1000 flats: area, floor, distance to the centre -> rent (all standardised)
torch.manual_seed(9)
X = torch.randn(1000, 3)
rent = 0.9 * X[:, 0] + 0.2 * X[:, 1] - 0.5 * X[:, 2] + 0.2 * torch.randn(1000)

X_train, y_train = X[:850], rent[:850]
X_test, y_test = X[850:], rent[850:]

w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(80):
    loss = ((X_train @ w + b - y_train) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.1 * p.grad
            p.grad.zero_()
    if step % 20 == 19:
        with torch.no_grad():
            test_loss = ((X_test @ w + b - y_test) ** 2).mean()
        print(f"{step + 1}: train {loss.item():.4f} test {test_loss.item():.4f}")
