# silent: D106
import torch
from torch import nn

# the network by Adam, the temperature of the softmax by plain gradient steps
torch.manual_seed(8)
x = torch.randn(140, 5)
y = x[:, :4].argmax(1)
net = nn.Linear(5, 4)
log_t = torch.zeros((), requires_grad=True)
adam = torch.optim.Adam(net.parameters(), lr=0.02)

for step in range(50):
    loss = nn.functional.cross_entropy(net(x) / log_t.exp(), y)
    adam.zero_grad()
    log_t.grad = None
    loss.backward()
    adam.step()
    with torch.no_grad():
        log_t -= 0.05 * log_t.grad
print(loss.item(), log_t.exp().item())
