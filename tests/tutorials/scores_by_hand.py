"""Marks from hours of practice: the derivatives by hand first, then by autograd, then with a second feature."""

# %%
import torch

hours = torch.tensor([1.0, 2.0, 4.0, 5.0, 7.0, 8.0])
marks = torch.tensor([48.0, 55.0, 66.0, 71.0, 84.0, 88.0])

# %%
torch.manual_seed(3)
slope = torch.randn(1)
base = torch.randn(1)
count = len(hours)
lr = 0.02
history = []

# %%
for epoch in range(600):
    # what the line says
    predicted = slope * hours + base

    # how wrong it is
    loss = torch.mean((predicted - marks) ** 2)
    history.append(loss.item())

    # the derivatives, worked out on paper
    difference = predicted - marks
    d_slope = (2 / count) * (difference * hours).sum()
    d_base = (2 / count) * difference.sum()

    # one step downhill
    slope = slope - lr * d_slope
    base = base - lr * d_base

    if (epoch + 1) % 200 == 0:
        print(f"by hand {epoch + 1}: {loss.item():.4f}")

print("slope", slope.item(), "base", base.item())

# %%
print("after 3 and 6 hours:", torch.tensor([3.0, 6.0]) * slope + base)

# %%
torch.manual_seed(3)
slope_grad = torch.randn(1, requires_grad=True)
base_grad = torch.randn(1, requires_grad=True)

for epoch in range(600):
    predicted = slope_grad * hours + base_grad
    loss = torch.mean((predicted - marks) ** 2)
    loss.backward()
    with torch.no_grad():
        slope_grad -= lr * slope_grad.grad
        base_grad -= lr * base_grad.grad
        slope_grad.grad.zero_()
        base_grad.grad.zero_()
    if (epoch + 1) % 200 == 0:
        print(f"by autograd {epoch + 1}: {loss.item():.4f}")

# %%
features = torch.tensor([[1.0, 2.0, 4.0, 5.0, 7.0, 8.0], [8.0, 7.0, 7.5, 6.0, 8.0, 7.0]]).reshape(6, 2)
torch.manual_seed(3)
slope_grad = torch.randn(2, 1, requires_grad=True)
base_grad = torch.randn(1, requires_grad=True)

# %%
for epoch in range(900):
    predicted = features @ slope_grad + base_grad
    loss = torch.mean((predicted.squeeze() - marks) ** 2)
    loss.backward()
    with torch.no_grad():
        slope_grad -= lr / 2 * slope_grad.grad
        base_grad -= lr / 2 * base_grad.grad
        slope_grad.grad.zero_()
        base_grad.grad.zero_()
    if (epoch + 1) % 300 == 0:
        print(f"two features {epoch + 1}: {loss.item():.4f}")
