# expects: D111 likely line 14
# silent: D101, D102, D103, D109, D110
# The gradients are cleared before each batch, and an update comes after four: three of four are for nothing.
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(128, 4)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for i, (inputs, targets) in enumerate(batch for epoch in range(5) for batch in loader):
    optimizer.zero_grad()
    (nn.functional.mse_loss(model(inputs), targets) / 4).backward()
    if i % 4 == 3:
        optimizer.step()
