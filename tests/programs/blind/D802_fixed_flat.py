# silent: D802
import torch

torch.set_num_threads(1)
torch.manual_seed(65)

# many small steps of a small network
x = torch.randn(128, 256)
y = torch.tanh(x[:, :1] - x[:, 1:2])
w1 = (torch.randn(256, 256) / 16).requires_grad_()
w2 = (torch.randn(256, 1) / 16).requires_grad_()
for step in range(300):
    loss = (torch.tanh(x @ w1) @ w2 - y).square().mean()
    g1, g2 = torch.autograd.grad(loss, [w1, w2])
    with torch.no_grad():
        w1 -= 0.05 * g1
        w2 -= 0.05 * g2
    if step % 100 == 99:
        print(step + 1, loss.item())
