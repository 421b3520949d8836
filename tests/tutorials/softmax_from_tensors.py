"""Digits told apart by softmax regression, with nothing but tensors."""

# %%
import gzip
import os
import sys

import numpy
import torch

torch.manual_seed(1)
folder = sys.argv[1]


# %%
def load(name, skip):
    with gzip.open(os.path.join(folder, name)) as file:
        return torch.tensor(numpy.frombuffer(file.read(), dtype=numpy.uint8)[skip:])


pixels = load("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28 * 28) / 255.0
digits = load("t10k-labels-idx1-ubyte.gz", 8).to(torch.int64)
print(pixels.shape, digits[:10])

# %%
W = (torch.randn(28 * 28, 10) * 0.03).requires_grad_()
b = torch.zeros(10, requires_grad=True)


def scores_of(rows):
    scores = rows @ W + b
    return scores - scores.exp().sum(dim=1, keepdim=True).log()


def mean_surprise(log_chances, right):
    return -log_chances[range(len(right)), right].mean()


# %%
# what an untrained model says
print("at first:", mean_surprise(scores_of(pixels[:64]), digits[:64]))

# %%
step_size = 0.3
batch = 50
for epoch in range(2):
    for start in range(0, 6000, batch):
        rows = pixels[start : start + batch]
        right = digits[start : start + batch]
        loss = mean_surprise(scores_of(rows), right)
        loss.backward()
        with torch.no_grad():
            W -= step_size * W.grad
            b -= step_size * b.grad
            W.grad.zero_()
            b.grad.zero_()
    print("epoch", epoch, "loss", loss.item())

# %%
with torch.no_grad():
    guesses = scores_of(pixels[6000:]).argmax(dim=1)
print("right:", (guesses == digits[6000:]).float().mean().item())
