# arguments: probabilities | silent: D302
# arguments: scores | expects: D302 bug line 25 | at most: D701 bug
# arguments: unlogged | expects: D302 bug line 25
# A student learns from a teacher's answers, kept earlier: as probabilities, or by mistake as they came.
import sys

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 6)
teacher = nn.Linear(6, 5)
with torch.no_grad():
    kept = teacher(x) * 2
    if sys.argv[1] != "scores":
        kept = kept.softmax(dim=1)
student = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 5))
optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
for epoch in range(5):
    for rows in torch.randperm(200).split(40):
        optimizer.zero_grad()
        answers = student(x[rows])
        log_p = F.softmax(answers, dim=1) if sys.argv[1] == "unlogged" else F.log_softmax(answers, dim=1)
        loss = F.kl_div(log_p, kept[rows], reduction="batchmean")
        loss.backward()
        optimizer.step()
    print(loss.item())
