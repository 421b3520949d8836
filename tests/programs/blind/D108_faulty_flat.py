# expects: D108 bug line 18
import torch

torch.manual_seed(2)
x = torch.rand(70, 2)
y = (3 * x[:, 0] - x[:, 1]).unsqueeze(1)

w1 = torch.randn(2, 8, requires_grad=True)
w2 = torch.randn(8, 1, requires_grad=True)


def forward(x):
    return torch.sigmoid(x @ w1) @ w2


loss = torch.mean((forward(x) - y) ** 2)
for i in range(30):
    loss.backward(retain_graph=True)
    for w in (w1, w2):
        w.data -= 0.05 * w.grad
        w.grad.zero_()
    if i % 10 == 0:
        print(i, loss.item())
print("final", torch.mean((forward(x) - y) ** 2).item())
