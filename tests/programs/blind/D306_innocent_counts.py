# silent: D306
# Bikes rented per hour: whole numbers, but amounts.
import torch
import torch.nn.functional as F

torch.manual_seed(53)
temperature = 30 * torch.rand(300)
wind = 12 * torch.rand(300)
bikes = torch.poisson(20 + 6 * temperature - 1.5 * wind).clamp(min=0)
scale = bikes.std()

X = torch.stack([temperature / 15 - 1, wind / 6 - 1], 1)
model = torch.nn.Sequential(torch.nn.Linear(2, 12), torch.nn.ReLU(), torch.nn.Linear(12, 1), torch.nn.Flatten(0))
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(120):
    rows = torch.randint(300, (60,))
    loss = F.mse_loss(model(X[rows]), bikes[rows] / scale)
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    print("typical error in bikes:", (scale * (model(X) - bikes / scale)).abs().mean().item())
