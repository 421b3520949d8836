# silent: D407
import random

import torch
from torch import nn

# short sentences as integers, padded with 0 up to a common length
random.seed(18)
torch.manual_seed(18)
GOOD, BAD, LENGTH = range(1, 15), range(10, 25), 24


def sentence(words):
    s = [random.choice(words) for _ in range(random.randint(4, 18))]
    return s + [0] * (LENGTH - len(s))


label = torch.randint(0, 2, (400,))
text = torch.tensor([sentence(GOOD if k else BAD) for k in label.tolist()])


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(25, 8, padding_idx=0)
        self.out = nn.Linear(8, 2)

    def forward(self, t):
        lengths = (t != 0).sum(1, keepdim=True)
        return self.out(self.emb(t).sum(1) / lengths)


net = Bag()
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(5):
    hits = 0
    for rows in torch.randperm(400).split(40):
        out = net(text[rows])
        loss = nn.functional.cross_entropy(out, label[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        hits += (out.argmax(1) == label[rows]).sum().item()
    print(f"epoch {epoch}: {hits / 400:.3f}")
