# silent: D701
# Sensor table with gaps: NaN marks a missing reading and is filled before training, with a column that says so.
import torch

torch.manual_seed(204)
readings = torch.randn(200, 4)
target = readings.sum(dim=1, keepdim=True)
readings[torch.rand(200, 4) < 0.1] = float("nan")
missing = readings.isnan()
inputs = torch.cat([torch.nan_to_num(readings, nan=0.0), missing.float()], dim=1)

net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(15):
    for rows in torch.randperm(200).split(40):
        loss = torch.nn.functional.mse_loss(net(inputs[rows]), target[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    print("error on all rows", torch.nn.functional.mse_loss(net(inputs), target).item())
