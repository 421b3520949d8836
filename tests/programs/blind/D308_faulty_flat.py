# expects: D308 note line 16
# logistic regression for three kinds of apples, no torch.nn
import torch

torch.manual_seed(2)
kind = torch.arange(150) % 3
apples = torch.tensor([[7.0, 150.0, 0.2], [8.0, 190.0, 0.8], [6.0, 120.0, 0.5]])[kind]
apples = apples + torch.randn(150, 3) * torch.tensor([0.4, 12.0, 0.1])
apples = (apples - apples.mean(0)) / apples.std(0)

W = torch.zeros(3, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
for epoch in range(8):
    for rows in torch.randperm(150).split(30):
        z = apples[rows] @ W + b
        log_p = z - torch.log(torch.exp(z).sum(dim=1, keepdim=True))
        loss = -log_p[torch.arange(len(rows)), kind[rows]].mean()
        loss.backward()
        with torch.no_grad():
            W -= 0.5 * W.grad
            b -= 0.5 * b.grad
            W.grad.zero_()
            b.grad.zero_()
with torch.no_grad():
    print("right:", ((apples @ W + b).argmax(1) == kind).float().mean().item())
