# expects: D503 bug line 23
import torch

torch.manual_seed(132)
x = torch.rand(160, 1) * 6
y = 0.5 * x + torch.sin(x) + 0.2 * torch.randn(160, 1)
powers = torch.cat([x / 6, (x / 6) ** 2, (x / 6) ** 3], dim=1)
powers = (powers - powers.mean(0)) / powers.std(0)

weights = torch.zeros(3, 1, requires_grad=True)
offset = torch.zeros(1, requires_grad=True)
for epoch in range(1, 9):
    total = 0.0
    for part in torch.randperm(160).split(20):
        residual = powers[part] @ weights + offset - y[part]
        loss = residual.square().mean()
        loss.backward()
        with torch.no_grad():
            for p in (weights, offset):
                p -= 0.05 * p.grad
                p.grad.zero_()
        total += loss.item()
    print(f"mean loss in epoch {epoch}: {total:.4f}")
