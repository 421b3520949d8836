# silent: D402
# straight line through noisy points; prints how well the points themselves are met
import torch

torch.manual_seed(40)
x = torch.linspace(-1, 1, 60)
y = 0.5 + 2 * x + 0.1 * torch.randn(60)
slope, offset = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([slope, offset], lr=0.3)
for _ in range(50):
    opt.zero_grad()
    ((slope * x + offset - y) ** 2).mean().backward()
    opt.step()
with torch.no_grad():
    training_loss = ((slope * x + offset - y) ** 2).mean()
print("training loss after fitting:", round(training_loss.item(), 5))
