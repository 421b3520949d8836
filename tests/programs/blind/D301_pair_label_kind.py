# arguments: faulty | expects: D301 bug line 22
# arguments: clean | silent: D301
"""Train on crowd-labelled reviews.

The label file holds either one class id per review or the shares of votes each class got.
"""

import sys

import torch
from torch import nn
import torch.nn.functional as F


def read_labels(variant, votes):
    """One column when the raters settled on a class, one column per class when their votes were kept."""
    return votes.argmax(dim=1) if variant == "faulty" else votes


def objective(predicted, target):
    if target.dtype == torch.long:
        return F.cross_entropy(predicted, target)
    return -(target * predicted.clamp_min(1e-8).log()).sum(dim=1).mean()


def main(variant):
    torch.manual_seed(21)
    reviews = torch.randn(160, 10)
    votes = torch.softmax(reviews @ torch.randn(10, 3) * 1.5, dim=1)
    labels = read_labels(variant, votes)

    net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 3), nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(12):
        for rows in torch.randperm(160).split(32):
            optimizer.zero_grad()
            loss = objective(net(reviews[rows]), labels[rows])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        agree = (net(reviews).argmax(1) == votes.argmax(1)).float().mean()
    print(f"agreement with the majority: {agree:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
