# silent: D101
import torch

# average the gradient over all folds, then move once
torch.manual_seed(2)
A = torch.randn(120, 5)
target = A @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.1 * torch.randn(120)
theta = torch.zeros(5, requires_grad=True)

for it in range(30):
    for rows in torch.arange(120).chunk(6):
        part = ((A[rows] @ theta - target[rows]) ** 2).mean() / 6
        part.backward()
    theta.data.sub_(0.2 * theta.grad)
    theta.grad = None
print(theta.tolist())
