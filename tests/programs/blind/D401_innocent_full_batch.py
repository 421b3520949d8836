# silent: D401
import torch

# logistic regression, every step sees the whole table
g = torch.Generator().manual_seed(8)
x0 = torch.randn(80, 2, generator=g) + torch.tensor([1.5, 0.0])
x1 = torch.randn(80, 2, generator=g) - torch.tensor([1.5, 0.0])
x = torch.cat([x0, x1])
t = torch.cat([torch.zeros(80), torch.ones(80)])

w = torch.zeros(2, requires_grad=True)
b = torch.zeros((), requires_grad=True)
sgd = torch.optim.SGD([w, b], lr=0.5)
for it in range(60):
    sgd.zero_grad()
    z = x @ w + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, t)
    loss.backward()
    sgd.step()
    if it % 20 == 0:
        print(it, loss.item())
