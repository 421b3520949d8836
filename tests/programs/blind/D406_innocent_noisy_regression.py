# silent: D406
import torch

# the dose explains about a fifth of the effect's variance, the rest is the patients
torch.manual_seed(91)
dose = torch.rand(400, 1) * 2 - 1
effect = 0.9 * dose + torch.randn(400, 1)
a = torch.zeros(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
adam = torch.optim.Adam([a, b], lr=0.05)
for epoch in range(15):
    for rows in torch.randperm(400).split(50):
        adam.zero_grad()
        loss = torch.nn.functional.mse_loss(dose[rows] @ a + b, effect[rows])
        loss.backward()
        adam.step()
print("slope", a.item(), "offset", b.item())
