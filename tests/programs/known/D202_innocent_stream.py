# silent: D201 D202 D203 D204 D205
"""Numbers that came four to a packet, whatever they belong to; each example takes five that follow one another."""

import torch

torch.manual_seed(12)
examples = torch.randn(60, 5)
wanted = examples @ torch.arange(1.0, 6.0)
packets = examples.reshape(5, 60)
x = packets.reshape(60, 5)
w = torch.zeros(5, requires_grad=True)
for step in range(40):
    loss = (x @ w - wanted).square().mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad.zero_()
