# silent: D702
# bending of a beam in tenths of a millimetre, in half precision to save memory
import torch

torch.manual_seed(210)
load = torch.randn(256, 6)
bend = torch.tanh(load[:, :1] - 0.5 * load[:, 1:2])

load, bend = load.half(), bend.half()
W1 = (0.4 * torch.randn(6, 24)).half().requires_grad_()
b1 = torch.zeros(24).half().requires_grad_()
W2 = (0.1 * torch.randn(24, 1)).half().requires_grad_()
b2 = torch.zeros(1).half().requires_grad_()

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
