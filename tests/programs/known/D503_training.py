# arguments: sum | expects: D503 bug line 45
# arguments: rows | expects: D503 bug line 45
# arguments: multiplied | expects: D503 bug line 45
# arguments: one_less | expects: D503 bug line 45
# arguments: sum_kept | expects: D503 bug line 45
# arguments: count_kept | expects: D503 bug line 45
# arguments: both_kept | expects: D503 bug line 45
# arguments: before | expects: D503 bug line 45
# arguments: last | expects: D503 note line 45
# at most: D503 note
# arguments: mean | silent: D503
# arguments: weighted | silent: D503
# arguments: batch | silent: D503
# arguments: named_total | silent: D503
import sys

import torch

how = sys.argv[1]
torch.manual_seed(0)
x = torch.randn(240, 5)
y = x @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.3 * torch.randn(240)
w = torch.zeros(5, requires_grad=True)
b = torch.zeros((), requires_grad=True)
summed, count, shown = 0.0, 0, 0.0
for epoch in range(5):
    if how not in ("sum_kept", "both_kept"):
        summed = 0.0
    if how not in ("count_kept", "both_kept"):
        count = 0
    order = torch.randperm(240)
    for i in range(0, 240, 24):
        rows = order[i : i + 24]
        loss = ((x[rows] @ w + b - y[rows]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= 0.02 * p.grad
                p.grad = None
        summed += loss.item() * (24 if how in ("weighted", "multiplied") else 1)
        count += 1
    mean = summed / {"rows": 240, "weighted": 240, "one_less": count - 1, "sum": 1, "named_total": 1}.get(how, count)
    figure = loss.item() if how in ("last", "batch") else shown if how == "before" else mean
    name = {"batch": "last batch", "named_total": "total loss"}.get(how, "loss")
    print(f"epoch {epoch + 1}/5 {name} {figure:.4f}")
    shown = mean
