# silent: D202
import torch

# three sensors, sixty moments
torch.manual_seed(10)
temperature = 20 + 5 * torch.randn(60)
humidity = 50 + 10 * torch.randn(60)
wind = 10 + 3 * torch.randn(60)
comfort = 0.5 * temperature - 0.1 * humidity - 0.3 * wind + 0.2 * torch.randn(60)

sensors = torch.stack([temperature, humidity, wind])
sensors = (sensors - sensors.mean(1, keepdim=True)) / sensors.std(1, keepdim=True)
X = sensors.T
y = (comfort - comfort.mean()).unsqueeze(1)

w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(80):
    loss = ((X @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if epoch % 20 == 0:
        print(epoch, loss.item())
