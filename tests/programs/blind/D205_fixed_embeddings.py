# silent: D205
import torch
from torch import nn

# sentences as numbers: is there more "good" (1) than "bad" (2)?
torch.manual_seed(7)
sentences = torch.randint(0, 12, (260, 10))
positive = ((sentences == 1).sum(1) > (sentences == 2).sum(1)).float()

emb = nn.Embedding(12, 8)
drop = nn.Dropout(p=0.25)
lin = nn.Linear(8, 1)
opt = torch.optim.Adam([*emb.parameters(), *lin.parameters()], lr=0.02)

for epoch in range(6):
    for idx in torch.randperm(260).split(26):
        vectors = drop(emb(sentences[idx]))
        logit = lin(vectors.sum(dim=1)).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, positive[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
