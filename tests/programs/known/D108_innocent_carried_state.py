# silent: D101, D102, D103, D104, D105, D106, D107, D108
# The state of the last window is carried on, detached.
import torch
from torch import nn

torch.manual_seed(3)
rnn, head = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 1)
optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.01)
state = None
for i in range(15):
    x = torch.randn(4, 6, 2)
    out, state = rnn(x, state)
    loss = nn.functional.mse_loss(head(out)[..., 0], x[..., 0].cumsum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    state = state.detach()
