# silent: D303
# Daily rainfall in cm can not be negative, so the network's output goes through a ReLU.
import torch
from torch import nn

torch.manual_seed(6)
weather = torch.randn(300, 5)
rain = torch.clamp(1.0 + 0.8 * weather[:, 0] - 0.5 * weather[:, 3] + 0.2 * torch.randn(300), min=0)

model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1), nn.ReLU())
nn.init.constant_(model[2].bias, 1.0)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
mse = nn.MSELoss()
for epoch in range(15):
    for idx in torch.randperm(300).split(50):
        optimizer.zero_grad()
        loss = mse(model(weather[idx]).squeeze(1), rain[idx])
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("error on the training rows (cm^2):", mse(model(weather).squeeze(1), rain).item())
