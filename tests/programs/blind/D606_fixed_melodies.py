# silent: D606
"""Which of two melodies was whistled? Every row is a recording of its own."""

import torch
from torch import nn


class Listener(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, x, state):
        y, state = self.lstm(x, state)
        return self.out(y[:, -1]), state


torch.manual_seed(58)
n, steps, batch = 400, 12, 40
kind = torch.randint(0, 2, (n,))
sound = torch.randn(n, steps, 2) * 0.5
sound[:, :, 0] += (2 * kind[:, None] - 1) * torch.linspace(-0.6, 0.6, steps)

listener = Listener()
optimizer = torch.optim.Adam(listener.parameters(), lr=0.01)
for epoch in range(5):
    state, right = None, 0
    for rows in torch.randperm(n).split(batch):
        scores, state = listener(sound[rows], None)
        state = tuple(s.detach() for s in state)
        loss = nn.functional.cross_entropy(scores, kind[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (scores.argmax(1) == kind[rows]).sum().item()
    print(f"epoch {epoch}: {right / n:.3f}")
