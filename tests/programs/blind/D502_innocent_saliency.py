# silent: D502
# Train with dropout, then ask in eval mode which input the answer hangs on (gradient with respect to the input).
import torch
from torch import nn

torch.manual_seed(123)
inputs = torch.randn(200, 5)
target = 2 * inputs[:, 1] - inputs[:, 4]
net = nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Dropout(0.2), nn.Linear(40, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(12):
    net.train()
    for rows in torch.randperm(200).split(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(inputs[rows]), target[rows])
        loss.backward()
        optimizer.step()

net.eval()
probe = inputs[:50].clone().requires_grad_()
(saliency,) = torch.autograd.grad(net(probe).sum(), probe)
print("mean |gradient| per input:", [round(v, 2) for v in saliency.abs().mean(0).tolist()])
