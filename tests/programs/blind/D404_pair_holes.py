# arguments: faulty | expects: D404 bug line 0
# arguments: clean | silent: D404
import csv, io, math, random, sys
import torch

# blood values -> risk score. empty cells in the export become nan


def export(kind):
    r = random.Random(2)
    buffer = io.StringIO()
    w = csv.writer(buffer)
    for i in range(240):
        v = [r.gauss(0, 1) for _ in range(4)]
        risk = 0.5 * v[0] - v[2] + r.gauss(0, 0.3)
        cells = [f"{c:.4f}" for c in [*v, risk]]
        if kind == "faulty" and i in (37, 120, 201):
            cells[2] = ""
        w.writerow(cells)
    return buffer.getvalue()


def number(cell):
    return float(cell) if cell else math.nan


table = torch.tensor([[number(c) for c in row] for row in csv.reader(io.StringIO(export(sys.argv[1])))])
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(12):
    for rows in table[torch.randperm(240)].split(30):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(net(rows[:, :4]), rows[:, 4:])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
