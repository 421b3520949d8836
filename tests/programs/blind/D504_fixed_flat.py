# silent: D504
# ring or disc? points in the plane, one hidden layer
import torch

torch.manual_seed(141)
radius = torch.cat([torch.rand(150) * 0.8, 1.0 + torch.rand(150) * 0.6])
angle = torch.rand(300) * 6.2832
points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
ring = torch.cat([torch.zeros(150), torch.ones(150)])
shuffled = torch.randperm(300)
points, ring = points[shuffled], ring[shuffled]
train_x, train_y, test_x, test_y = points[:220], ring[:220], points[220:], ring[220:]

A = torch.randn(2, 24, requires_grad=True)
a = torch.zeros(24, requires_grad=True)
B = (torch.randn(24) * 0.2).requires_grad_()
b = torch.zeros((), requires_grad=True)

for epoch in range(60):
    batch = torch.randperm(220)[:110]
    out = torch.relu(train_x[batch] @ A + a) @ B + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(out, train_y[batch])
    grads = torch.autograd.grad(loss, [A, a, B, b])
    with torch.no_grad():
        for p, g in zip([A, a, B, b], grads):
            p -= 0.5 * g

    with torch.no_grad():
        test_out = torch.relu(test_x @ A + a) @ B + b
    accuracy = ((test_out > 0).float() == test_y).float().mean()
    if epoch % 20 == 19:
        print(f"epoch {epoch}: test accuracy {accuracy.item():.3f}")
