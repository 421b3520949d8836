"""torch.autograd.grad and updates by hand; then bare tensors with .grad, .data and no_grad."""

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(20, 3), torch.randn(20, 1)
w, b = torch.randn(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
for _ in range(3):
    loss = ((x @ w + b - y) ** 2).mean()
    of_w, of_b = torch.autograd.grad(loss, (w, b))
    with torch.no_grad():
        w -= 0.1 * of_w
        b -= 0.1 * of_b
    print(loss.item())
for _ in range(3):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    w.data -= 0.1 * w.grad
    with torch.no_grad():
        b -= 0.1 * b.grad
    w.grad.zero_()
    b.grad = None
    print(loss.item())
print(w.detach().numpy().tobytes().hex(), b.detach().numpy().tobytes().hex(), w._version, b._version)
