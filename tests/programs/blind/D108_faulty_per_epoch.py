# expects: D108 bug line 21
import torch
from torch import nn


def accuracy(scores, labels):
    return (scores.argmax(dim=1) == labels).float().mean().item()


def main():
    torch.manual_seed(11)
    x = torch.randn(200, 6)
    labels = (x @ torch.randn(6, 3)).argmax(dim=1)
    model = nn.Linear(6, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(4):
        scores = model(x)
        loss = nn.functional.cross_entropy(scores, labels)
        for update in range(5):
            opt.zero_grad()
            loss.backward(retain_graph=True)
            opt.step()
        print(epoch, loss.item(), accuracy(scores, labels))


main()
