# silent: D602
# spring constant and damping from measured forces
import torch

torch.manual_seed(38)
x = torch.randn(256, 2)
force = x @ torch.tensor([3.0, -1.5]) + 0.1 * torch.randn(256)
k = torch.zeros(2, requires_grad=True)
lr = 5e-2
for step in range(150):
    error = ((x @ k - force) ** 2).mean()
    error.backward()
    with torch.no_grad():
        k.sub_(lr * k.grad)
    k.grad.zero_()
    if step % 50 == 0:
        print(step, error.item())
print("k =", k.tolist())
