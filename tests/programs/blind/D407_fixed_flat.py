# silent: D407
# price per night of holiday flats
import torch

torch.manual_seed(26)
area = torch.randn(350)
beds = torch.randn(350)
beach = torch.randn(350)
price = 1.2 * area + 0.5 * beds - 0.8 * beach + 0.2 * torch.randn(350)

X = torch.stack([area, beds, beach], dim=1)
y = price.unsqueeze(1)
w = torch.zeros(3, 1, requires_grad=True)
for epoch in range(50):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
    if epoch % 10 == 9:
        print(epoch + 1, loss.item())
