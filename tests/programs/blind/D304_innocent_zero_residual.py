# silent: D304
# Low-rank update of a frozen matrix: B starts at zero, the first gradients of A are exactly zero.
import torch

torch.manual_seed(45)
frozen = torch.zeros(6, 1)
A = (torch.randn(6, 2) / 6**0.5).requires_grad_()
B = torch.zeros(2, 1, requires_grad=True)
inputs = torch.randn(150, 6)
goal = inputs @ torch.randn(6, 1)

adam = torch.optim.Adam([A, B], lr=0.05)
for k in range(100):
    out = inputs @ frozen + inputs @ A @ B
    loss = torch.nn.functional.mse_loss(out, goal)
    adam.zero_grad()
    loss.backward()
    adam.step()
    if k % 33 == 0:
        print(k, round(loss.item(), 5))
