"""Several backward calls before a step: two losses on one graph, one of them kept; and a look at gradients alone."""

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
look = torch.tensor([1.0, 2.0], requires_grad=True)
(look**3).sum().backward()
print(look.grad)
x, y = torch.randn(20, 3), torch.randn(20, 1)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
for _ in range(4):
    optimizer.zero_grad()
    output = model(x)
    error, size = ((output - y) ** 2).mean(), output.abs().mean()
    error.backward(retain_graph=True)
    (0.1 * size).backward()
    torch.autograd.backward([0.01 * parameter.pow(2).sum() for parameter in model.parameters()])
    optimizer.step()
    print(float(error), size.tolist())
print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()))
