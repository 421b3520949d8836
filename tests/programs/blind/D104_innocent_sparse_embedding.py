# silent: D104
import torch
from torch import nn

# bag of item ids -> liked or not; most of the 500 items never occur in this sample
torch.manual_seed(12)
baskets = torch.randint(0, 60, (200, 4))
liked = (baskets < 20).any(dim=1).float()

items = nn.EmbeddingBag(500, 6, sparse=True, mode="mean")
top = nn.Linear(6, 1)
sparse_opt = torch.optim.SparseAdam(items.parameters(), lr=0.05)
dense_opt = torch.optim.Adam(top.parameters(), lr=0.05)

for epoch in range(6):
    for rows in torch.randperm(200).split(25):
        sparse_opt.zero_grad()
        dense_opt.zero_grad()
        logit = top(items(baskets[rows])).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, liked[rows])
        loss.backward()
        sparse_opt.step()
        dense_opt.step()
    print(f"{epoch} {loss.item():.3f}")
