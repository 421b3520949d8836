# silent: D702
# bending of a beam in metres (fractions of a millimetre)
import torch

torch.manual_seed(210)
load = torch.randn(256, 6)
bend = 1e-4 * torch.tanh(load[:, :1] - 0.5 * load[:, 1:2])

kind = torch.float32
load, bend = load.to(kind), bend.to(kind)
W1 = (0.4 * torch.randn(6, 24)).to(kind).requires_grad_()
b1 = torch.zeros(24, dtype=kind, requires_grad=True)
W2 = (1e-5 * torch.randn(24, 1)).to(kind).requires_grad_()
b2 = torch.zeros(1, dtype=kind, requires_grad=True)

for step in range(60):
    rows = torch.randperm(256)[:128]
    out = torch.tanh(load[rows] @ W1 + b1) @ W2 + b2
    loss = (out - bend[rows]).float().square().mean()
    loss.backward()
    with torch.no_grad():
        for p in (W1, b1, W2, b2):
            p -= 0.3 * p.grad
            p.grad = None
    if step % 20 == 0:
        print(step, f"{loss.item():.3e}")
