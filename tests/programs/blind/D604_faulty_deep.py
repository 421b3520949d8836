# expects: D604 likely line 25
# a deep net for a sequence-of-bits parity-like task
import torch
import torch.nn.functional as F

torch.manual_seed(1)
bits = torch.randint(0, 2, (512, 6)).float() * 2 - 1
target = (bits[:, 0] * bits[:, 1] > 0).float()

depth, width = 12, 20
act = torch.sigmoid
weights = [torch.randn(6, width) / 6**0.5]
weights += [torch.randn(width, width) / width**0.5 for _ in range(depth - 1)]
weights += [torch.randn(width, 1) / width**0.5]
biases = [torch.zeros(w.shape[1]) for w in weights]
params = weights + biases
for p in params:
    p.requires_grad_()
opt = torch.optim.SGD(params, lr=0.5)

for step in range(80):
    rows = torch.randint(0, 512, (64,))
    h = bits[rows]
    for w, b in zip(weights[:-1], biases[:-1]):
        h = act(h @ w + b)
    out = (h @ weights[-1] + biases[-1]).squeeze(1)
    loss = F.binary_cross_entropy_with_logits(out, target[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, round(loss.item(), 4))
print("first layer moved by", weights[0].grad.norm().item(), "last by", weights[-1].grad.norm().item())
