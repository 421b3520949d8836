# arguments: faulty | expects: D302 bug line 40
# arguments: clean | silent: D302
"""Learn how much to trust each of three finished models.

Their outputs on 300 held-out rows lie in a file. Only the mixture's weights are trained.
"""

import os
import sys
import tempfile

import torch
from torch import nn


def write_outputs(path, variant):
    g = torch.Generator().manual_seed(30)
    truth = torch.randint(0, 5, (300,), generator=g)
    right = nn.functional.one_hot(truth, 5).float()
    outputs = []
    for skill in (3.0, 1.5, 0.3):
        raw = 1.0 + skill * right + torch.randn(300, 5, generator=g)
        outputs.append(raw if variant == "faulty" else raw.log_softmax(dim=1))
    torch.save({"outputs": torch.stack(outputs), "truth": truth}, path)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "outputs.pt")
        write_outputs(path, sys.argv[1])
        saved = torch.load(path)
    outputs, truth = saved["outputs"], saved["truth"]

    mixture = nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam([mixture], lr=0.05)
    for step in range(100):
        rows = torch.randperm(300)[:100]
        share = torch.log_softmax(mixture, dim=0)
        log_probability = torch.logsumexp(outputs[:, rows] + share[:, None, None], dim=0)
        loss = nn.functional.nll_loss(log_probability, truth[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("trust:", [round(v, 3) for v in torch.softmax(mixture.detach(), 0).tolist()])


if __name__ == "__main__":
    main()
