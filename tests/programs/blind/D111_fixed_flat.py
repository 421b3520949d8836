# silent: D111
import torch

# batches of 10 rows, weights move after every fifth
torch.manual_seed(22)
rows = torch.randn(300, 4)
answer = rows @ torch.tensor([0.4, -1.0, 2.0, 0.1]) + 1.0
w = torch.zeros(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
every = 5

count = 0
for epoch in range(8):
    for r, a in zip(rows.split(10), answer.split(10)):
        mse = torch.nn.functional.mse_loss(r @ w + b, a)
        (mse / every).backward()
        count += 1
        if count % every == 0:
            with torch.no_grad():
                for p in (w, b):
                    p -= 0.03 * p.grad
                    p.grad = None
    print(epoch, mse.item())
