# silent: D201 D202 D203 D204 D205
"""A bag of instances has one label: attention weighs the instances, along the first axis. And time first for a recurrent layer."""

import torch
from torch import nn

torch.manual_seed(26)
bags = [torch.randn(int(size), 5) for size in torch.randint(4, 9, (12,))]
labels = [float(bag[:, 0].max() > 1) for bag in bags]
hidden, score, last = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 1)
optimizer = torch.optim.Adam([p for part in (hidden, score, last) for p in part.parameters()], lr=0.01)
for epoch in range(2):
    for bag, label in zip(bags, labels):
        h = torch.tanh(hidden(bag))
        weights = torch.softmax(score(h), dim=0)
        loss = nn.functional.binary_cross_entropy_with_logits(last((weights * h).sum(0)), torch.tensor([label]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
