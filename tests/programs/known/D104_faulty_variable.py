# expects: D104 likely line 9
# silent: D101, D102, D103, D105, D106, D107, D108
import torch

torch.manual_seed(2)
x = torch.randn(50, 3)
y = torch.sin(x[:, 0])
w1 = torch.randn(3, 10).mul(0.3).requires_grad_()
b1 = torch.zeros(10, requires_grad=True)
w2 = torch.randn(10).mul(0.3).requires_grad_()
optimizer = torch.optim.SGD([w1, b1, w2], lr=0.05)
for i in range(30):
    hidden = (x @ w1).tanh()
    loss = (hidden @ w2 - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
