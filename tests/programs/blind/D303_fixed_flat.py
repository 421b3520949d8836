# silent: D303
import torch

torch.manual_seed(40)
# five kinds of beans, four measurements each
kinds = torch.randint(5, (250,))
centre = 1.6 * torch.randn(5, 4)
beans = centre[kinds] + 0.5 * torch.randn(250, 4)

W1 = torch.empty(4, 30).normal_(0, 0.6).requires_grad_(True)
c1 = torch.zeros(30).requires_grad_(True)
W2 = torch.empty(30, 5).normal_(0, 0.25).requires_grad_(True)
c2 = torch.zeros(5).requires_grad_(True)
everything = [W1, c1, W2, c2]

for epoch in range(100):
    hidden = torch.relu(beans @ W1 + c1)
    logits = hidden @ W2 + c2
    loss = torch.nn.functional.cross_entropy(logits, kinds)
    grads = torch.autograd.grad(loss, everything)
    with torch.no_grad():
        for tensor, grad in zip(everything, grads):
            tensor.sub_(0.1 * grad)
    if (epoch + 1) % 25 == 0:
        print(f"{epoch + 1}: {loss.item():.4f}")
