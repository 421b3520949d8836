# expects: D606 likely line 18
# A recurrent network out of two matrices; the state is set back for every element.
import torch

torch.manual_seed(0)
x = torch.randn(16, 7, 3)
y = x.cumsum(dim=1)[:, -1, :1]
Wx = (torch.randn(3, 12) * 0.5).requires_grad_()
Wh = (torch.randn(12, 12) * 0.2).requires_grad_()
V = (torch.randn(12, 1) * 0.2).requires_grad_()
adam = torch.optim.Adam([Wx, Wh, V], lr=0.01)
keep = False

for step in range(12):
    h = torch.zeros(16, 12)
    for t in range(7):
        if not keep:
            h = torch.zeros(16, 12)
        h = torch.tanh(x[:, t] @ Wx + h @ Wh)
    loss = ((h @ V - y) ** 2).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
