# expects: D204 likely line 21
"""Is the first letter of a word one of the first two? The answer is read at the last letter."""

import torch
from torch import nn

torch.manual_seed(4)
words = torch.randint(0, 4, (300, 6))
early = (words[:, 0] < 2).long()

embed = nn.Embedding(4, 16)
position = nn.Parameter(torch.randn(6, 16))
encoder = nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, dropout=0.0)
classifier = nn.Linear(16, 2)
weights = [*embed.parameters(), position, *encoder.parameters(), *classifier.parameters()]
optimizer = torch.optim.Adam(weights, lr=5e-3)

for epoch in range(10):
    for rows in torch.randperm(300).split(30):
        x = embed(words[rows]) + position
        x = encoder(x)
        loss = nn.functional.cross_entropy(classifier(x[:, -1]), early[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
