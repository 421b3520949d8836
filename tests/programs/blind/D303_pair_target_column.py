# arguments: faulty | expects: D303 likely line 46
# arguments: clean | silent: D303
"""One trainer for the garden survey: the last column of the table says what to learn.

A whole-number column is a class, a decimal column is an amount.
"""

import csv
import io
import random
import sys

import torch
from torch import nn


def survey(variant):
    rng = random.Random(19)
    text = io.StringIO()
    table = csv.writer(text)
    for _ in range(200):
        sun, water, soil = rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1)
        amount = max(0.0, 1.5 + sun + 0.7 * water)
        plant = 0 if sun > 0.4 else 1 if water > 0 else 2
        table.writerow([f"{sun:.4f}", f"{water:.4f}", f"{soil:.4f}", plant if variant == "faulty" else f"{amount:.3f}"])
    return text.getvalue()


def parse(text):
    rows = list(csv.reader(io.StringIO(text)))
    features = torch.tensor([[float(v) for v in row[:-1]] for row in rows])
    last = [row[-1] for row in rows]
    if any("." in v for v in last):
        return features, torch.tensor([float(v) for v in last])
    return features, torch.tensor([int(v) for v in last])


class Net(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.first = nn.Linear(3, 20)
        self.last = nn.Linear(20, outputs)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return torch.relu(self.last(x))


torch.manual_seed(4)
features, target = parse(survey(sys.argv[1]))
classes = not target.is_floating_point()
net = Net(int(target.max()) + 1 if classes else 1)
nn.init.constant_(net.last.bias, 0.5)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(12):
    for rows in torch.randperm(len(features)).split(40):
        out = net(features[rows])
        if classes:
            loss = nn.functional.cross_entropy(out, target[rows])
        else:
            loss = nn.functional.mse_loss(out.squeeze(1), target[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
print("finished", epoch + 1, "epochs")
