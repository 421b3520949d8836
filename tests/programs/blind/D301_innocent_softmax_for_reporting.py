# silent: D301
import torch
from torch import nn
import torch.nn.functional as F

# Softmax is used three times here: inside the attention, for the teacher's soft targets and for the confidence shown
# at the end. The loss itself always gets raw scores.
torch.manual_seed(8)


class Pool(nn.Module):
    """Attention pooling over a short sequence, then a linear classifier."""

    def __init__(self, width, classes):
        super().__init__()
        self.query = nn.Linear(width, 1)
        self.head = nn.Linear(width, classes)

    def forward(self, sequence):
        weight = torch.softmax(self.query(sequence), dim=1)
        return self.head((weight * sequence).sum(1))


x = torch.randn(200, 6, 8)
rule = torch.randn(8, 4)
y = (x.mean(1) @ rule).argmax(1)

teacher, student = Pool(8, 4), Pool(8, 4)
opt = torch.optim.Adam(teacher.parameters(), lr=0.02)
for _ in range(60):
    opt.zero_grad()
    F.cross_entropy(teacher(x), y).backward()
    opt.step()

with torch.no_grad():
    soft = torch.softmax(teacher(x) / 2.0, dim=1)
opt = torch.optim.Adam(student.parameters(), lr=0.02)
for _ in range(60):
    opt.zero_grad()
    F.cross_entropy(student(x) / 2.0, soft).backward()
    opt.step()

with torch.no_grad():
    confidence = F.softmax(student(x), dim=1).max(1).values
print("mean confidence of the student", confidence.mean().item())
