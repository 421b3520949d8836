# expects: D307 note line 22
# Two answers from one network: the price of a house (dollars) and whether it sells within a month.
import torch
import torch.nn.functional as F

torch.manual_seed(81)
X = torch.randn(200, 5)
price = 250_000 + 60_000 * X[:, 0] + 20_000 * X[:, 1] + 5_000 * torch.randn(200)
sold = (X[:, 2] - X[:, 3] > 0).float()

shared = torch.nn.Linear(5, 16)
price_head = torch.nn.Linear(16, 1)
sold_head = torch.nn.Linear(16, 1)
params = [*shared.parameters(), *price_head.parameters(), *sold_head.parameters()]
opt = torch.optim.Adam(params, lr=0.01)

for step in range(150):
    rows = torch.randperm(200)[:50]
    h = torch.relu(shared(X[rows]))
    price_loss = F.mse_loss(price_head(h).squeeze(1), price[rows])
    sold_loss = F.binary_cross_entropy_with_logits(sold_head(h).squeeze(1), sold[rows])
    loss = price_loss + sold_loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"{step}: price {price_loss.item():.3g}  sold {sold_loss.item():.3f}")
