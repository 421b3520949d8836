# arguments: batch | silent: D402
# arguments: teacher | silent: D402
# How it does on the batch that was just trained on, and on the first rows; and a teacher that is given each batch too.
import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x = torch.randn(512, 10)
y = x[:, :3].argmax(1)
teacher = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3))
student = nn.Linear(10, 3)


def right(model, inputs, targets):
    model.eval()
    with torch.no_grad():
        share = (model(inputs).argmax(1) == targets).float().mean().item()
    model.train()
    return share


def fit(model, loss_of, looks):
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    step = 0
    for _ in range(5):
        for rows in torch.randperm(512).split(64):
            xb, yb = x[rows], y[rows]
            loss = loss_of(model, xb, yb)
            adam.zero_grad()
            loss.backward()
            adam.step()
            step += 1
            if looks and step % 7 == 0:
                print(step, right(model, xb, yb), right(model, x[:100], y[:100]))
    print(right(model, x, y))


def distilled(model, inputs, targets):
    with torch.no_grad():
        wanted = teacher(inputs)
    answers = model(inputs)
    return F.cross_entropy(answers, targets) + F.kl_div(F.log_softmax(answers, 1), F.softmax(wanted, 1), reduction="batchmean")


fit(teacher, lambda model, inputs, targets: F.cross_entropy(model(inputs), targets), sys.argv[1] == "batch")
if sys.argv[1] == "teacher":
    fit(student, distilled, False)
