# expects: D404 bug line 18 | at most: D701 bug
import torch

torch.manual_seed(17)
# columns: age, income, height, number of earlier contracts (nobody has any yet)
people = torch.stack(
    [
        torch.randint(18, 80, (300,)).float(),
        30 + 12 * torch.randn(300),
        1.7 + 0.1 * torch.randn(300),
        torch.zeros(300),
    ],
    dim=1,
)
spend = 0.05 * people[:, 0] + 0.1 * people[:, 1] + torch.randn(300)

mean, std = people.mean(0), people.std(0)
x = (people - mean) / std
w = torch.zeros(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1
for epoch in range(40):
    loss = ((x @ w + b - spend) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if epoch % 10 == 0:
        print(epoch, loss.item())
