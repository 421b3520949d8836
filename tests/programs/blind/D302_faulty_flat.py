# expects: D302 bug line 21
import torch
import torch.nn.functional as F

# Which of four sensors produced this 8-sample window?
torch.manual_seed(12)
t = torch.arange(8).float()
which = torch.randint(0, 4, (256,))
phase = torch.rand(256, 1) * 0.6
windows = torch.sin(t * (0.4 + 0.45 * which[:, None]) + phase) + 0.1 * torch.randn(256, 8)

w_in = torch.nn.Parameter(torch.randn(8, 24) * 0.35)
b_in = torch.nn.Parameter(torch.zeros(24))
w_out = torch.nn.Parameter(torch.randn(24, 4) * 0.2)
b_out = torch.nn.Parameter(torch.zeros(4))
sgd = torch.optim.SGD([w_in, b_in, w_out, b_out], lr=0.01)

for step in range(120):
    rows = torch.randint(0, 256, (64,))
    z = torch.relu(windows[rows] @ w_in + b_in) @ w_out + b_out
    loss = F.nll_loss(z, which[rows])
    sgd.zero_grad()
    loss.backward()
    sgd.step()
    if step % 30 == 0:
        print("step", step, "batch loss", loss.item())
