# silent: D502
# continue training from a saved state
import io

import torch
import torch.nn as nn

torch.manual_seed(121)
x = torch.randn(240, 9)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).float().unsqueeze(1)


def build():
    return nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Dropout(0.25), nn.Linear(64, 1))


buffer = io.BytesIO()
torch.save(build().state_dict(), buffer)
buffer.seek(0)

model = build()
model.load_state_dict(torch.load(buffer))
model.train()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(10):
    for rows in torch.randperm(240).split(48):
        out = model(x[rows])
        loss = criterion(out, y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
print("finished; last batch's loss", loss.item())
