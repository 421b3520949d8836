# expects: D604 likely line 13
import torch

# two moons with a hidden layer by hand
torch.manual_seed(16)
n = 200
a = torch.rand(n) * 3.1416
moon = torch.arange(n) % 2
x = torch.stack([a.cos() + moon, a.sin() * (1 - 2 * moon) + 0.5 * moon], dim=1) + 0.1 * torch.randn(n, 2)
t = moon.float()[:, None]

hidden = 12
W1 = torch.full((2, hidden), 0.3, requires_grad=True)
b1 = torch.zeros(hidden, requires_grad=True)
W2 = torch.full((hidden, 1), 0.3, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)

for epoch in range(150):
    h = torch.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, t)
    loss.backward()
    with torch.no_grad():
        for p in (W1, b1, W2, b2):
            p -= 0.2 * p.grad
            p.grad = None
    if epoch % 50 == 49:
        print(epoch + 1, loss.item())
