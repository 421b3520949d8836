# silent: D306
import torch

torch.manual_seed(33)
# animal kind: 0 cat, 1 horse, 2 hen, 3 pig   from weight, height, legs, noise
kind = torch.randint(0, 4, (200,))
table = torch.tensor([[4.0, 0.3, 4, 0.5], [500.0, 1.6, 4, 0.7], [2.0, 0.4, 2, 0.9], [90.0, 0.8, 4, 0.8]])[kind]
table = table * (1 + 0.1 * torch.randn(200, 4))
table = (table - table.mean(0)) / table.std(0)

w1 = (torch.randn(4, 16) / 2).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
w2 = (torch.randn(16, 4) / 4).requires_grad_()
b2 = torch.zeros(4, requires_grad=True)
params = [w1, b1, w2, b2]

for i in range(150):
    rows = torch.randperm(200)[:100]
    out = torch.tanh(table[rows] @ w1 + b1) @ w2 + b2
    loss = torch.nn.functional.cross_entropy(out, kind[rows])
    for p in params:
        p.grad = None
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= 0.05 * p.grad
with torch.no_grad():
    guess = (torch.tanh(table @ w1 + b1) @ w2 + b2).argmax(1)
print("animals recognised:", (guess == kind).float().mean().item())
