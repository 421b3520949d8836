"""A new model and a new optimizer for every fold, by the same names, and an evaluation of each."""

import gc

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(30, 3), torch.randn(30, 1)
for fold in range(3):
    held_out = torch.arange(30) % 3 == fold
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((model(x[~held_out]) - y[~held_out]) ** 2).mean()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(fold, loss.item(), ((model(x[held_out]) - y[held_out]) ** 2).mean().item())
    print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()))
del model, optimizer, loss
gc.collect()
print(sum(isinstance(each, torch.nn.Module) for each in gc.get_objects()))
