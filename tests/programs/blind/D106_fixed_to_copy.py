# silent: D106
import torch

torch.manual_seed(15)
t = torch.linspace(0, 1, 64, dtype=torch.float64)
observed = 2.5 * torch.exp(-3.0 * t) + 0.02 * torch.randn(64, dtype=torch.float64)

# amplitude and decay rate of a capacitor discharging
start = [torch.tensor(1.0), torch.tensor(1.0)]
guess = [p.requires_grad_() for p in start]

# double precision for the fit
amplitude, rate = [p.detach().to(torch.float64).requires_grad_() for p in guess]
optimizer = torch.optim.SGD([amplitude, rate], lr=0.1)
for step in range(40):
    optimizer.zero_grad()
    fit = amplitude * torch.exp(-rate * t)
    loss = ((fit - observed) ** 2).mean()
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(step, loss.item())
print("amplitude", amplitude.item(), "rate", rate.item())
