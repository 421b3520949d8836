# silent: D503
# Batch losses, said to be batch losses, and an exponentially smoothed one.
import torch
import torch.nn.functional as F

torch.manual_seed(136)
x = torch.randn(300, 5)
y = x @ torch.tensor([1.0, 2.0, 0.0, -1.0, 0.5]) + 0.2 * torch.randn(300)
w = torch.zeros(5, requires_grad=True)
sgd = torch.optim.SGD([w], lr=0.03)
smooth = None
for it in range(100):
    pick = torch.randint(0, 300, (30,))
    loss = F.mse_loss(x[pick] @ w, y[pick])
    sgd.zero_grad()
    loss.backward()
    sgd.step()
    value = loss.item()
    smooth = value if smooth is None else 0.9 * smooth + 0.1 * value
    if it % 20 == 0:
        print(f"iteration {it}  loss of this batch {value:.4f}  smoothed {smooth:.4f}  lr {sgd.param_groups[0]['lr']}")
