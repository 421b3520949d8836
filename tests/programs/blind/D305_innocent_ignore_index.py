# silent: D305
"""Tag each token of a sentence as noun, verb or other. Short sentences are padded; padding does not count."""

import random

import torch
from torch import nn

NOUNS = ["dog", "tree", "car", "bird"]
VERBS = ["runs", "falls", "sings"]
OTHER = ["the", "a", "quickly"]
VOCABULARY = ["<pad>"] + NOUNS + VERBS + OTHER
PAD_TAG = -100


def sentences(count):
    rng = random.Random(8)
    for _ in range(count):
        words = [rng.choice(VOCABULARY[1:]) for _ in range(rng.randint(3, 8))]
        tags = [0 if w in NOUNS else 1 if w in VERBS else 2 for w in words]
        gap = 8 - len(words)
        yield [VOCABULARY.index(w) for w in words] + [0] * gap, tags + [PAD_TAG] * gap


torch.manual_seed(8)
pairs = list(sentences(120))
tokens = torch.tensor([a for a, _ in pairs])
tags = torch.tensor([b for _, b in pairs])

tagger = nn.Sequential(nn.Embedding(len(VOCABULARY), 8, padding_idx=0), nn.Linear(8, 3))
loss_of = nn.CrossEntropyLoss()
adam = torch.optim.Adam(tagger.parameters(), lr=0.03)
for epoch in range(10):
    for rows in torch.randperm(120).split(30):
        scores = tagger(tokens[rows])
        loss = loss_of(scores.reshape(-1, 3), tags[rows].reshape(-1))
        adam.zero_grad()
        loss.backward()
        adam.step()
with torch.no_grad():
    right = (tagger(tokens).argmax(-1) == tags)[tags != PAD_TAG].float().mean()
print("tags right", right.item())
