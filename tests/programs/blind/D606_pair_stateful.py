# arguments: faulty | expects: D606 likely line 45
# arguments: clean | silent: D606
"""Forecast a load from a text file of chunks of 40 values; the state runs from chunk to chunk."""

import math
import random
import sys
import tempfile

import torch
from torch import nn


def record(file, kind):
    rng = random.Random(45)
    t = 0.0
    for _ in range(60):
        if kind == "faulty":  # every chunk is the recording of another house
            t = rng.uniform(0, 1000)
        offset = rng.uniform(-2, 2) if kind == "faulty" else 0.0
        values = [offset + math.sin((t + k) / 6) + 0.3 * math.sin((t + k) / 37) + rng.gauss(0, 0.03) for k in range(41)]
        t += 40
        file.write(" ".join(f"{v:.4f}" for v in values) + "\n")


with tempfile.TemporaryFile("w+") as file:
    record(file, sys.argv[1])
    file.seek(0)
    chunks = torch.tensor([[float(v) for v in line.split()] for line in file])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Linear(16, 1)


torch.manual_seed(0)
model = Model()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(3):
    state, total = None, 0.0
    for chunk in chunks:
        out, state = model.rnn(chunk[None, :-1, None], state)
        state = state.detach()
        loss = nn.functional.mse_loss(model.head(out)[0, :, 0], chunk[1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / len(chunks)
    print(f"epoch {epoch}: {total:.4f}")
