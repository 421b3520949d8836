# silent: D308
# Ticket counts: Poisson regression. exp and log occur, but no softmax.
import torch

torch.manual_seed(38)
z = torch.randn(200, 2)
tickets = torch.poisson(torch.exp(0.8 + 0.5 * z[:, 0] - 0.3 * z[:, 1]))
log_tickets = torch.log1p(tickets)

w = torch.zeros(2, requires_grad=True)
c = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, c], lr=0.05)
for step in range(120):
    pick = torch.randperm(200)[:100]
    log_rate = z[pick] @ w + c
    loss = (torch.exp(log_rate) - tickets[pick] * log_rate).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print("found", [round(v, 2) for v in w.tolist()], "mean of log(1+n)", log_tickets.mean().item())
