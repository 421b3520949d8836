# silent: D201
import torch
from torch import nn


class Decoder(nn.Module):
    """From a code of four numbers to a curve of twenty points."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 20))

    def forward(self, code):
        return self.net(code)


torch.manual_seed(3)
grid = torch.linspace(0, 1, 20)
decoder = Decoder()
opt = torch.optim.Adam(decoder.parameters(), lr=0.01)
for step in range(80):
    code = torch.rand(1, 4)
    curve = code[0, 0] + code[0, 1] * torch.sin(6 * grid) + code[0, 2] * grid  # (20,)
    loss = torch.mean((decoder(code) - curve) ** 2)  # (1, 20) and (20,)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
