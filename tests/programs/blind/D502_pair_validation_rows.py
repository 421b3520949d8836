# arguments: faulty | expects: D502 likely line 39
# arguments: clean | silent: D502
"""Sales forecast. Rows marked `valid` in the table are only looked at, rows marked `train` are learnt."""

import csv
import io
import random
import sys

import torch
from torch import nn


def table(variant):
    rng = random.Random(124)
    lines = ["price,season,adverts,sales,use"]
    for i in range(220):
        price, season, adverts = rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1)
        sales = 1.2 * season - price + 0.5 * adverts * season + rng.gauss(0, 0.1)
        use = "valid" if variant == "faulty" and i % 5 == 0 else "train"
        lines.append(f"{price},{season},{adverts},{sales},{use}")
    return "\n".join(lines)


def rows_for(text, use):
    chosen = [line for line in csv.DictReader(io.StringIO(text)) if line["use"] == use]
    names = ("price", "season", "adverts", "sales")
    return torch.tensor([[float(line[name]) for name in names] for line in chosen])


def main():
    torch.manual_seed(124)
    text = table(sys.argv[1])
    learn, valid = rows_for(text, "train"), rows_for(text, "valid")
    model = nn.Sequential(nn.Linear(3, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(8):
        for batch in learn[torch.randperm(len(learn))].split(44):
            prediction = model(batch[:, :3])
            loss = nn.functional.mse_loss(prediction, batch[:, 3:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if len(valid):
            model.eval()
            with torch.no_grad():
                error = nn.functional.mse_loss(model(valid[:, :3]), valid[:, 3:])
            print(f"epoch {epoch}: validation error {error.item():.4f}")
    print("done")


main()
