# expects: D203 likely line 16
import torch

# each row: eight payments; predict how far the running balance ever rises
torch.manual_seed(2)
payments = torch.randn(90, 8)
peak = payments.cumsum(1).amax(1)

w1 = (torch.randn(8, 16) * 0.3).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
w2 = (torch.randn(16) * 0.2).requires_grad_()
opt = torch.optim.SGD([w1, b1, w2], lr=0.01)


def model(x):
    balance = torch.cumsum(x, 0)
    h = torch.relu(balance @ w1 + b1)
    return h @ w2


for step in range(60):
    rows = torch.randint(0, 70, (24,))
    loss = (model(payments[rows]) - peak[rows]).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 15 == 0:
        with torch.no_grad():
            test = (model(payments[70:]) - peak[70:]).pow(2).mean()
        print(step, loss.item(), test.item())
