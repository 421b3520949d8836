"""An optimizer that calls its closure several times a step."""

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.linspace(-1, 1, 32).reshape(-1, 1)
y = 3 * x - 0.5 + 0.1 * torch.randn(32, 1)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)


def closure():
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    return loss


for _ in range(3):
    print(optimizer.step(closure).item())
print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()))
