# silent: D110
import torch

torch.manual_seed(3)
x = torch.randn(64, 3) * 4
y = x @ torch.tensor([[5.0], [-7.0], [2.0]]) + 20
w = torch.zeros(3, 1, requires_grad=True)
c = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, c], lr=0.01)

for it in range(50):
    res = x @ w + c - y
    loss = res.pow(2).mean()
    opt.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_([w, c], 20.0)
    opt.step()
    if it % 10 == 0:
        print(it, loss.item())
