# arguments: raw | expects: D604 likely line 17
# arguments: small | silent: D604
# A tanh that is given pixels from 0 to 255, or from -1 to 1.
import sys

import torch

torch.manual_seed(0)
pixels = torch.randint(0, 256, (128, 25)).float()
if sys.argv[1] == "small":
    pixels = pixels / 127.5 - 1
labels = (pixels[:, :5].sum(1) > pixels[:, 5:10].sum(1)).float()
first = torch.nn.Linear(25, 20)
last = torch.nn.Linear(20, 1)
sgd = torch.optim.SGD([*first.parameters(), *last.parameters()], lr=0.01)
for epoch in range(40):
    hidden = torch.tanh(first(pixels))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(last(hidden)[:, 0], labels)
    sgd.zero_grad()
    loss.backward()
    sgd.step()
