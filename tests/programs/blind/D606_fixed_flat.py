# silent: D606
import torch

# running parity-like memory: say at every moment what came in two moments ago
torch.manual_seed(49)
B, T, H = 40, 10, 24
Wx = torch.randn(3, H) * 0.5
Wh = torch.randn(H, H) / H**0.5
bh = torch.zeros(H)
Wo = torch.randn(H, 3) * 0.3
params = [Wx, Wh, bh, Wo]
for p in params:
    p.requires_grad_(True)
opt = torch.optim.Adam(params, lr=0.01)

for step in range(80):
    ids = torch.randint(0, 3, (B, T))
    x = torch.nn.functional.one_hot(ids, 3).float()
    loss = 0
    h = torch.zeros(B, H)
    for t in range(T):
        h = torch.tanh(x[:, t] @ Wx + h @ Wh + bh)
        if t >= 2:
            loss = loss + torch.nn.functional.cross_entropy(h @ Wo, ids[:, t - 2])
    loss = loss / (T - 2)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 19:
        print(step + 1, loss.item())
