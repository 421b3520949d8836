# expects: D301 bug line 28
# Three-arm spiral, two layers written out by hand.
import math

import torch
import torch.nn.functional as F

torch.manual_seed(3)
n_per_arm = 60
points, arms = [], []
for arm in range(3):
    r = torch.linspace(0.1, 1.0, n_per_arm)
    angle = 2 * math.pi * arm / 3 + 3.5 * r + 0.1 * torch.randn(n_per_arm)
    points.append(torch.stack([r * angle.cos(), r * angle.sin()], dim=1))
    arms.append(torch.full((n_per_arm,), arm))
X = torch.cat(points)
y = torch.cat(arms)

W1 = (torch.randn(2, 32) * 0.7).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
W2 = (torch.randn(32, 3) * 0.2).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)

for it in range(150):
    hidden = torch.tanh(X @ W1 + b1)
    scores = hidden @ W2 + b2
    probs = torch.softmax(scores, dim=1)
    loss = F.cross_entropy(probs, y)
    loss.backward()
    with torch.no_grad():
        for p in (W1, b1, W2, b2):
            p -= 0.5 * p.grad
            p.grad = None
    if it % 50 == 0:
        print(it, round(loss.item(), 4))

with torch.no_grad():
    out = torch.tanh(X @ W1 + b1) @ W2 + b2
print("accuracy on the training points:", (out.argmax(1) == y).float().mean().item())
