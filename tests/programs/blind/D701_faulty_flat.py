# expects: D701 bug line 16 | at most: D302 bug
# rents: squared error of the logarithms, one linear layer
import torch

torch.manual_seed(200)
size = 20 + 100 * torch.rand(150)
floor = torch.randint(0, 8, (150,)).float()
rent = 8 * size + 15 * floor + 40 * torch.randn(150).clamp(-2, 2) + 100

x = torch.stack([(size - 70) / 29, (floor - 3.5) / 2.3], dim=1)
w = torch.tensor([80.0, 20.0], requires_grad=True)
b = torch.tensor(160.0, requires_grad=True)
for step in range(120):
    rows = torch.randperm(150)[:50]
    guess = x[rows] @ w + b
    loss = (torch.log(guess) - torch.log(rent[rows])).square().mean()
    loss.backward()
    with torch.no_grad():
        w -= 4000.0 * w.grad
        b -= 4000.0 * b.grad
    w.grad = b.grad = None
    if step % 30 == 0:
        print(step, loss.item())
