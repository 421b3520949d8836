# silent: D101, D102, D103, D104, D105, D106, D107, D108
import torch
from torch import nn

torch.manual_seed(5)
words = nn.Embedding(200, 6, sparse=True, padding_idx=0)
score = nn.Linear(6, 2)
rare, rest = torch.optim.SparseAdam(words.parameters()), torch.optim.SGD(score.parameters(), lr=0.1)
for i in range(15):
    x = torch.randint(100, 110, (8, 4))
    loss = nn.functional.cross_entropy(score(words(x).mean(1)), (x.sum(1) % 2))
    rare.zero_grad()
    rest.zero_grad()
    loss.backward()
    rare.step()
    rest.step()
