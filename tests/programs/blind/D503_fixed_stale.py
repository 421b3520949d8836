# silent: D503
# Fit a plane to 90 noisy points with plain gradient descent and report how good the updated plane is.
import torch

torch.manual_seed(134)
xy = torch.randn(90, 2)
height = 3 * xy[:, 0] - 2 * xy[:, 1] + 1 + 0.1 * torch.randn(90)
slope = torch.zeros(2, requires_grad=True)
level = torch.zeros((), requires_grad=True)
optimizer = torch.optim.SGD([slope, level], lr=0.2)

for step in range(12):
    optimizer.zero_grad()
    loss = (xy @ slope + level - height).square().mean()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        loss = (xy @ slope + level - height).square().mean()
    print(f"step {step + 1}: loss after the update {loss.item():.6f}")
