# expects: D605 likely line 15
# Two matrices by hand: the line that bends the hidden layer throws its result away.
import torch

torch.manual_seed(0)
x = torch.linspace(-3, 3, 60).unsqueeze(1)
y = x.sin()
W1 = torch.randn(1, 20, requires_grad=True)
b1 = torch.randn(20, requires_grad=True)
W2 = (torch.randn(20, 1) * 0.2).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
for step in range(50):
    h = x.mm(W1) + b1
    h.clamp(min=0)
    out = h.mm(W2) + b2
    loss = (out - y).pow(2).mean()
    loss.backward()
    for p in (W1, b1, W2, b2):
        p.data.sub_(0.01 * p.grad)
        p.grad.zero_()
