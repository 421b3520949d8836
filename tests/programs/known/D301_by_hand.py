# arguments: twice | expects: D301 bug line 17
# arguments: once | silent: D301
# Everything is written out: the model normalises its answers, and the loss takes logsumexp of them.
import sys

import torch

torch.manual_seed(3)
centres = torch.randn(4, 5) * 2
labels = torch.randint(0, 4, (160,))
data = centres[labels] + torch.randn(160, 5)
weights = torch.randn(5, 4, requires_grad=True)
for step in range(50):
    answers = data @ weights
    if sys.argv[1] == "twice":
        answers = answers.softmax(1)
    log_p = answers - answers.logsumexp(1, keepdim=True)
    loss = -log_p[torch.arange(160), labels].mean()
    loss.backward()
    with torch.no_grad():
        weights -= 0.5 * weights.grad
    weights.grad.zero_()
print(float(loss))
