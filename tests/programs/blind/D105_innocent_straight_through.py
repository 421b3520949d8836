# silent: D105
import torch
from torch import nn


class BinaryCode(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(8, 6)
        self.dec = nn.Linear(6, 8)

    def forward(self, x):
        soft = torch.sigmoid(self.enc(x))
        hard = (soft > 0.5).float()
        code = soft + (hard - soft).detach()  # forward: hard, backward: soft
        return self.dec(code)


torch.manual_seed(23)
x = torch.randint(0, 2, (256, 8)).float()
net = BinaryCode()
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for i in range(50):
    loss = nn.functional.binary_cross_entropy_with_logits(net(x), x)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
