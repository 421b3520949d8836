# arguments: faulty | expects: D701 bug line 40
# arguments: clean | silent: D701
"""Sort short documents into two folders by their word counts, scaled to length one."""

import random
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WORDS = "invoice payment bank tax amount hello party friend cake music".split()


class Documents(Dataset):
    def __init__(self, variant):
        rng = random.Random(205)
        self.items = []
        for i in range(160):
            folder = rng.randrange(2)
            text = [rng.choice(WORDS[5 * folder : 5 * folder + 5] * 2 + WORDS) for _ in range(12)]
            if variant == "faulty" and i == 90:
                text = []  # a scanned page without text
            bag = torch.tensor([float(text.count(w)) for w in WORDS])
            self.items.append((bag, float(folder)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Folder(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(len(WORDS), 1)

    def forward(self, bag):
        unit = bag / bag.norm(dim=1, keepdim=True)
        return self.linear(unit)[:, 0]


torch.manual_seed(205)
loader = DataLoader(Documents(sys.argv[1]), batch_size=20, shuffle=True)
model = Folder()
opt = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(5):
    summed, rows = 0.0, 0
    for bag, folder in loader:
        loss = nn.functional.binary_cross_entropy_with_logits(model(bag), folder.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
        summed += loss.item() * len(bag)
        rows += len(bag)
    print(f"epoch {epoch}: mean loss {summed / rows:.4f}")
