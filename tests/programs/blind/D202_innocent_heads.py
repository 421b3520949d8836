# silent: D202
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(C // self.heads), dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, C))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 16)
        self.attention = SelfAttention(16, heads=4)
        self.classify = nn.Linear(16, 2)

    def forward(self, tokens):
        return self.classify(self.attention(self.embed(tokens)).mean(dim=1))


torch.manual_seed(7)
tokens = torch.randint(0, 10, (200, 7))
has_zero = (tokens == 0).any(dim=1).long()
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    for t, label in DataLoader(TensorDataset(tokens, has_zero), batch_size=20, shuffle=True):
        loss = nn.functional.cross_entropy(model(t), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
