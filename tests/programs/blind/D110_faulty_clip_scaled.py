# expects: D110 bug line 22
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(18)
x = torch.randn(192, 8)
y = (x[:, :3] * torch.tensor([1.0, 2.0, -1.0])).sum(1, keepdim=True)
data = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)

net = nn.Sequential(nn.Linear(8, 24), nn.SiLU(), nn.Linear(24, 1))
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")

for epoch in range(6):
    for features, target in data:
        sgd.zero_grad(set_to_none=True)
        with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
            out = net(features)
        loss = nn.functional.mse_loss(out.float(), target)
        scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(sgd)
        scaler.update()
    print(f"{epoch}: {loss.item():.4f}")
