# silent: D601 D701
# A line fitted to years and prices by hand: the rate is right for small numbers and wrong for these.
import torch

torch.manual_seed(1)
age = torch.linspace(1.0, 40.0, 40)
price = 300.0 - 4.0 * age + torch.randn(40)

slope = torch.zeros(1, requires_grad=True)
start = torch.zeros(1, requires_grad=True)
rate = 0.0015

for epoch in range(30):
    guess = slope * age + start
    loss = ((guess - price) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        slope -= rate * slope.grad
        start -= rate * start.grad
    slope.grad = None
    start.grad = None
print("loss", loss.item())
