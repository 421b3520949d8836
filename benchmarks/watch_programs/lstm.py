"""The next value of a sine by an LSTM, with an evaluation now and then."""

import torch
from stopwatch import Stopwatch, steps
from torch import nn


class Forecast(nn.Module):
    """One recurrent layer and a linear head."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 48, batch_first=True)
        self.head = nn.Linear(48, 1)

    def forward(self, x):
        hidden, _ = self.lstm(x)
        return self.head(hidden[:, -1])


torch.set_num_threads(1)
torch.manual_seed(0)
wave = torch.sin(torch.arange(4000) * 0.05) + 0.05 * torch.randn(4000)
windows = wave.unfold(0, 31, 1)
x, y = windows[:, :30, None], windows[:, 30:]
model = Forecast()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

stopwatch = Stopwatch()
for step in range(steps(2000)):
    model.train()
    rows = torch.randint(3000, (32,))
    loss = ((model(x[rows]) - y[rows]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        model.eval()
        with torch.no_grad():
            held_out = ((model(x[3200:3400]) - y[3200:3400]) ** 2).mean()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
