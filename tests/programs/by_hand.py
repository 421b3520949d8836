"""Gradients derived by hand: no autograd at all."""

import torch

torch.set_num_threads(1)
torch.manual_seed(42)
x = torch.tensor([2.0, 4.0, 6.0, 8.0, 10.0])
y = torch.tensor([75.0, 80.0, 90.0, 94.0, 98.0])
w, b = torch.randn(1), torch.randn(1)
for epoch in range(30):
    predicted = x * w + b
    loss = torch.mean((predicted - y) ** 2)
    of_w = 2 / len(x) * torch.sum((predicted - y) * x)
    of_b = 2 / len(x) * torch.sum(predicted - y)
    w -= 0.01 * of_w
    b -= 0.01 * of_b
    if epoch % 10 == 0:
        print(epoch, loss.item())
print(w.numpy().tobytes().hex(), b.numpy().tobytes().hex())
