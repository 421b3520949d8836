# expects: D104 likely line 12
import torch

torch.manual_seed(4)
n = 100
x = torch.randn(n, 2)
y = torch.sin(2 * x[:, :1]) + 3.0

w1 = torch.randn(2, 16, requires_grad=True)
b1 = torch.zeros(16, requires_grad=True)
w2 = torch.randn(16, 1, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([w1, b1, w2, b2], lr=0.01)

for epoch in range(40):
    hidden = torch.relu(x @ w1 + b1)
    output = hidden @ w2
    loss = (output - y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
