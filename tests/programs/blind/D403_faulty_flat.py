# expects: D403 note line 17
# fuel use of cars: minibatches by hand
import torch

g = torch.Generator().manual_seed(51)
n = 470
cars = torch.randn(n, 5, generator=g)
fuel = cars @ torch.tensor([0.8, 0.3, -0.4, 0.0, 0.2]) + 0.1 * torch.randn(n, generator=g)

batch = 64
w = torch.zeros(5, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
steps = n // batch
for epoch in range(10):
    total = 0.0
    for k in range(steps):
        x = cars[k * batch : (k + 1) * batch]
        t = fuel[k * batch : (k + 1) * batch]
        loss = (x @ w + b - t).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.05 * w.grad
            b -= 0.05 * b.grad
        w.grad = b.grad = None
        total += loss.item() * len(x)
    print(f"{epoch} {total:.3f}")
