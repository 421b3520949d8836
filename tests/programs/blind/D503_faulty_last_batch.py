# expects: D503 note line 18
# fuel use of a car from weight, power and year
import torch
from torch import nn

torch.manual_seed(130)
cars = torch.randn(230, 3)
fuel = (8 + 1.5 * cars[:, 0] + cars[:, 1] - 0.5 * cars[:, 2] + 0.8 * torch.randn(230)).unsqueeze(1)

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(8):
    for rows in torch.randperm(230).split(32):
        loss = nn.functional.mse_loss(model(cars[rows]), fuel[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}, epoch loss: {loss.item():.4f}")
