# arguments: pieces | expects: D606 likely line 30
# arguments: series | silent: D606
# The state is kept from batch to batch: right for one long series, wrong for separate pieces.
import sys

import torch
from torch import nn

torch.manual_seed(0)
T, N, B = 12, 8, 6
if sys.argv[1] == "series":
    time = torch.arange(N * B * T).float()
    waves = torch.sin(time * 0.2).reshape(N, B, T).transpose(0, 1).unsqueeze(-1)
else:
    start = torch.rand(B, N, 1) * 40
    waves = (torch.rand(B, N, 1) * 4 - 2 + torch.sin((start + torch.arange(T)) * 0.2)).unsqueeze(-1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 10, batch_first=True)
        self.out = nn.Linear(10, 1)


net = Net()
adam = torch.optim.Adam(net.parameters(), lr=0.01)
state = torch.zeros(1, N, 10)
for piece in waves:
    seen, state = net.gru(piece[:, :-1], state)
    loss = nn.functional.mse_loss(net.out(seen), piece[:, 1:])
    adam.zero_grad()
    loss.backward()
    adam.step()
    state = state.detach()
