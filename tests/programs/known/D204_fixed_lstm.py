# silent: D201 D202 D203 D204 D205
"""Series of examples first, read by a layer that expects time first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(input_size=2, hidden_size=6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out[:, -1]).squeeze(-1)


torch.manual_seed(21)
series = torch.randn(60, 9, 2)
after = series[:, -1, 0] + series[:, -2, 0]
model = Forecast()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(3):
    for x, y in DataLoader(TensorDataset(series, after), batch_size=20, shuffle=True):
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
