# at most: D305 note
# Next-character model on a tiny text. All 128 ASCII codes have an output, the text uses few of them.
import torch
import torch.nn as nn

text = "the cat sat on the mat. the dog ate the ham. " * 8
codes = torch.tensor([ord(c) for c in text])
context, following = codes.unfold(0, 4, 1)[:-1], codes[4:]

torch.manual_seed(1)
embed = nn.Embedding(128, 12)
mlp = nn.Sequential(nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 128))
optimizer = torch.optim.AdamW([*embed.parameters(), *mlp.parameters()], lr=0.01)
for epoch in range(4):
    for rows in torch.randperm(len(following)).split(60):
        logits = mlp(embed(context[rows]).flatten(1))
        loss = nn.functional.cross_entropy(logits, following[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print("rough loss of the last batch", loss.item())
