# silent: D407 D404 D402
"""One-hot columns of which some never come, and sequences filled up with zeros."""

import torch
from torch import nn

torch.manual_seed(0)
kinds = nn.functional.one_hot(torch.randint(0, 9, (300,)), 12).float()
lengths = torch.randint(2, 7, (300, 1))
words = torch.where(torch.arange(10) < lengths, torch.randn(300, 10), torch.zeros(()))
target = kinds @ torch.randn(12, 1) + words.sum(1, keepdim=True)
for inputs in (kinds, words):
    net = nn.Linear(inputs.shape[1], 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(4):
        for at in torch.randperm(300).split(30):
            loss = nn.functional.mse_loss(net(inputs[at]), target[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(loss.item())
