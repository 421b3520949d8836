# expects: D605 likely line 18
import torch

# which quadrant pair does a point lie in?
torch.manual_seed(22)
pts = torch.rand(400, 2) * 2 - 1
cls = (pts[:, 0] * pts[:, 1] > 0).long()

W1, b1 = torch.randn(2, 30) * 0.7, torch.zeros(30)
W2, b2 = torch.randn(30, 30) * 0.2, torch.zeros(30)
W3, b3 = torch.randn(30, 2) * 0.2, torch.zeros(2)
params = [W1, b1, W2, b2, W3, b3]
for p in params:
    p.requires_grad = True

for epoch in range(120):
    h1 = pts @ W1 + b1
    h2 = h1 @ W2 + b2
    scores = torch.relu(h2) @ W3 + b3
    loss = torch.nn.functional.cross_entropy(scores, cls)
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g in zip(params, grads):
            p -= 0.2 * g
    if epoch % 40 == 39:
        print(epoch + 1, loss.item())
