# silent: D101
"""One network, two tasks: the sign and the size of a signal. Each task calls backward for itself, then one step."""

import torch
from torch import nn


class TwoTasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 20), nn.ReLU())
        self.sign = nn.Linear(20, 1)
        self.size = nn.Linear(20, 1)

    def forward(self, x):
        h = self.body(x)
        return self.sign(h), self.size(h)


torch.manual_seed(3)
data = torch.randn(300, 6)
signal = data[:, :1] - 0.5 * data[:, 1:2]
is_positive = (signal > 0).float()
net = TwoTasks()
adam = torch.optim.Adam(net.parameters(), lr=0.01)

for epoch in range(5):
    for idx in torch.randperm(300).split(50):
        adam.zero_grad()
        sign, size = net(data[idx])
        loss_sign = nn.functional.binary_cross_entropy_with_logits(sign, is_positive[idx])
        loss_size = nn.functional.mse_loss(size, signal[idx].abs())
        loss_sign.backward(retain_graph=True)
        loss_size.backward()
        adam.step()
    print(f"sign {loss_sign.item():.3f}  size {loss_size.item():.3f}")
