# silent: D201 D202 D203 D204 D205
"""Text as the classic language models cut it: (time, batch), the next tokens as targets; layers that expect time first."""

import torch
from torch import nn

torch.manual_seed(24)
stream = torch.randint(0, 15, (8 * 26,))
columns = stream.view(8, 26).t().contiguous()  # (time, batch)
embed, rnn, out = nn.Embedding(15, 6), nn.LSTM(6, 10), nn.Linear(10, 15)
parameters = [*embed.parameters(), *rnn.parameters(), *out.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.5)
for epoch in range(3):
    state = None
    for start in range(0, 25, 5):
        data, targets = columns[start : start + 5], columns[start + 1 : start + 6].reshape(-1)
        hidden, state = rnn(embed(data), state)
        state = tuple(each.detach() for each in state)
        loss = nn.functional.cross_entropy(out(hidden).view(-1, 15), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
