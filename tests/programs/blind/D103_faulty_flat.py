# expects: D103 bug line 16
import torch

torch.manual_seed(3)
features = torch.randn(90, 3)
labels = (features[:, 0] + features[:, 2] > 0).float()

weights = torch.zeros(3, requires_grad=True)
bias = torch.zeros((), requires_grad=True)
opt = torch.optim.SGD([weights, bias], lr=0.5)

for step in range(25):
    opt.zero_grad()
    logit = features @ weights + bias
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, labels)
    opt.step()
    loss.backward()
    if step % 5 == 0:
        accuracy = ((logit > 0) == (labels > 0.5)).float().mean().item()
        print(step, loss.item(), accuracy)
