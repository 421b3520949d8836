# arguments: relu | expects: D303 likely line 18
# arguments: tanh | expects: D303 likely line 18
# arguments: plain | silent: D303
# A stack of layers in a loop: the activation stands behind each of them, also the last.
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(0)
sizes = [8, 32, 32, 4]
params = [(torch.randn(a, b) / a**0.5, torch.zeros(b)) for a, b in zip(sizes, sizes[1:])]
flat = [p.requires_grad_() for pair in params for p in pair]
activation = torch.tanh if sys.argv[1] == "tanh" else F.relu
def forward(h):
    for n, (w, b) in enumerate(params):
        h = h @ w + b
        h = h if sys.argv[1] == "plain" and n == 2 else activation(h)
    return h


y = torch.randint(0, 4, (256,))
x = torch.randn(4, 8)[y] * 2 + torch.randn(256, 8)
optimizer = torch.optim.SGD(flat, lr=0.1)
for step in range(40):
    optimizer.zero_grad()
    loss = F.cross_entropy(forward(x), y)
    loss.backward()
    optimizer.step()
print(loss.item())
