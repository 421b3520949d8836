# silent: D606
"""Truncated backpropagation through time on one endless series: the state goes on, the graph does not."""

import torch
from torch import nn

torch.manual_seed(67)
N, LANES, CUT = 6001, 4, 50
noise = torch.randn(N)
series = torch.zeros(N)
for i in range(2, N):
    series[i] = 1.6 * series[i - 1] - 0.8 * series[i - 2] + 0.3 * noise[i]
lanes = series[: N - 1].view(LANES, -1)
nexts = series[1:].view(LANES, -1)

rnn, head = nn.RNN(1, 16, batch_first=True), nn.Linear(16, 1)
optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=5e-3)
for epoch in range(2):
    h = torch.zeros(1, LANES, 16)
    total = 0.0
    for a in range(0, lanes.shape[1], CUT):
        out, h = rnn(lanes[:, a : a + CUT, None], h.detach())
        loss = nn.functional.mse_loss(head(out).squeeze(-1), nexts[:, a : a + CUT])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * CUT / lanes.shape[1]
    print(f"epoch {epoch}: {total:.4f}")
