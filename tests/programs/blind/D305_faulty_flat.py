# expects: D305 bug line 18
# star ratings 1..5 from six numbers about a product
import torch
import torch.nn.functional as F

torch.manual_seed(60)
product = torch.randn(300, 6)
taste = product @ torch.tensor([1.0, -0.6, 0.4, 0.0, 0.0, 0.3]) + 0.3 * torch.randn(300)
stars = 1 + torch.bucketize(taste, torch.tensor([-1.2, -0.4, 0.4, 1.2]))

n_out = int(stars.max()) + 1
W = torch.zeros(6, n_out, requires_grad=True)
b = torch.zeros(n_out, requires_grad=True)

for step in range(200):
    pick = torch.randint(0, 300, (75,))
    scores = product[pick] @ W + b
    loss = F.cross_entropy(scores, stars[pick])
    loss.backward()
    for t in (W, b):
        t.data -= 0.2 * t.grad
        t.grad.zero_()

with torch.no_grad():
    guess = (product @ W + b).argmax(1)
print("exact stars:", (guess == stars).float().mean().item())
