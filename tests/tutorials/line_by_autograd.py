"""A straight line through noisy points."""

# %%
import torch

torch.manual_seed(7)
points = torch.linspace(-1, 1, 12).reshape(-1, 1)
heights = 3 * points - 0.5 + 0.05 * torch.randn(12, 1)

# %%
slope = torch.randn(1, 1, requires_grad=True)
offset = torch.zeros(1, requires_grad=True)

# %%
# one look at the gradients, before anything is trained
guess = points @ slope + offset
loss = ((guess - heights) ** 2).mean()
loss.backward()
print("slope's gradient:", slope.grad)
print("offset's gradient:", offset.grad)

# %%
slope = torch.randn(1, 1, requires_grad=True)
offset = torch.zeros(1, requires_grad=True)
step_size = 0.1

for epoch in range(150):
    guess = points @ slope + offset
    loss = ((guess - heights) ** 2).mean()

    loss.backward()

    with torch.no_grad():
        slope -= step_size * slope.grad
        offset -= step_size * offset.grad

    slope.grad.zero_()
    offset.grad.zero_()

    if epoch % 25 == 0:
        print(f"{epoch:3d}  loss {loss.item():.4f}  slope {slope.item():.3f}  offset {offset.item():.3f}")

# %%
print(f"found: {slope.item():.3f} x + {offset.item():.3f}")
