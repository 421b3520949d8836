# arguments: faulty | expects: D307 note line 40
# arguments: clean | silent: D307
"""Forecast temperature and rain from yesterday's readings; rain is in metres or in centimetres, as the station writes it."""

import json
import sys
import tempfile

import torch
from torch import nn


def station_file(file, variant):
    g = torch.Generator().manual_seed(88)
    yesterday = torch.randn(200, 4, generator=g)
    temperature = yesterday[:, 0] - 0.5 * yesterday[:, 1] + 0.3 * torch.randn(200, generator=g)
    rain_cm = (yesterday[:, 2] + 0.3 * torch.randn(200, generator=g)).abs()
    rain = rain_cm / 100 if variant == "faulty" else rain_cm
    json.dump({"yesterday": yesterday.tolist(), "temperature": temperature.tolist(), "rain": rain.tolist()}, file)
    file.seek(0)


with tempfile.TemporaryFile("w+") as file:
    station_file(file, sys.argv[1])
    station = {name: torch.tensor(values) for name, values in json.load(file).items()}

torch.manual_seed(88)
trunk = nn.Sequential(nn.Linear(4, 24), nn.ReLU())
temperature_head, rain_head = nn.Linear(24, 1), nn.Linear(24, 1)
nn.init.zeros_(rain_head.weight)
nn.init.zeros_(rain_head.bias)
modules = nn.ModuleList([trunk, temperature_head, rain_head])
opt = torch.optim.SGD(modules.parameters(), lr=0.05)
mse = nn.MSELoss()
for epoch in range(15):
    for rows in torch.randperm(200).split(50):
        h = trunk(station["yesterday"][rows])
        temperature_loss = mse(temperature_head(h)[:, 0], station["temperature"][rows])
        rain_loss = mse(rain_head(h)[:, 0], station["rain"][rows])
        total = temperature_loss + rain_loss
        opt.zero_grad()
        total.backward()
        opt.step()
print("last batch: temperature", temperature_loss.item(), "rain", rain_loss.item())
