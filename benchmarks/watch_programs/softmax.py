"""MNIST by softmax regression on bare tensors: log-softmax written out, autograd, updates by hand."""

import torch
from rows import mnist_vectors
from stopwatch import Stopwatch, steps

torch.set_num_threads(1)
features, digits = (torch.from_numpy(part) for part in mnist_vectors("train"))

batch_size = 64
lr = 0.5
weights = torch.zeros(784, 10, requires_grad=True)
bias = torch.zeros(10, requires_grad=True)

stopwatch = Stopwatch()
for step in range(steps(2 * 938)):
    start = step % 938 * batch_size
    xb = features[start : start + batch_size]
    yb = digits[start : start + batch_size]
    scores = xb @ weights + bias
    log_p = scores - scores.exp().sum(-1).log().unsqueeze(-1)
    loss = -log_p[range(yb.shape[0]), yb].mean()
    loss.backward()
    with torch.no_grad():
        weights -= weights.grad * lr
        bias -= bias.grad * lr
        weights.grad.zero_()
        bias.grad.zero_()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
