# arguments: faulty | expects: D305 bug line 53
# arguments: clean | silent: D305
"""Heart-disease style table. The export codes the answer either 1 = no, 2 = yes or 0 = no, 1 = yes."""

import csv
import pathlib
import random
import sys
import tempfile

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def export(path, variant):
    rng = random.Random(90)
    first = 1 if variant == "faulty" else 0
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["pressure", "cholesterol", "pulse", "answer"])
        for _ in range(200):
            pressure, cholesterol, pulse = (rng.gauss(0, 1) for _ in range(3))
            answer = pressure + 0.5 * cholesterol + rng.gauss(0, 0.3) > 0
            table.writerow([pressure, cholesterol, pulse, first + int(answer)])


class Patients(Dataset):
    def __init__(self, path):
        with open(path, newline="") as file:
            self.rows = [[float(v) for v in row] for row in list(csv.reader(file))[1:]]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        *features, answer = self.rows[i]
        return torch.tensor(features), torch.tensor(answer)


class Clinic:
    def __init__(self, patients):
        self.loader = DataLoader(patients, batch_size=25, shuffle=True)
        self.net = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 1))
        self.loss = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)

    def fit(self, epochs):
        for epoch in range(epochs):
            running = 0.0
            for features, answer in self.loader:
                self.optimizer.zero_grad()
                loss = self.loss(self.net(features).squeeze(1), answer)
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(answer)
            print(epoch, "mean loss", running / len(self.loader.dataset))


if __name__ == "__main__":
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "patients.csv"
        export(path, sys.argv[1])
        Clinic(Patients(path)).fit(epochs=5)
