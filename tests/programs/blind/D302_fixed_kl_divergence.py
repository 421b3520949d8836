# silent: D302
"""Compress a wide network into a narrow one by matching its output distribution."""

import torch
from torch import nn
import torch.nn.functional as F


def net(width):
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


def main():
    torch.manual_seed(17)
    inputs = torch.randn(192, 5)
    teacher, student = net(64), net(6)
    with torch.no_grad():
        reference = F.softmax(4 * teacher(inputs), dim=1)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
    for step in range(80):
        student_log_probs = F.log_softmax(student(inputs), dim=1)
        loss = F.kl_div(student_log_probs, reference, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"{step:3d}  divergence {loss.item():.4f}")


main()
