# expects: D107 bug line 27
"""Character statistics: predict the next letter of a tiny text from the present one."""

import torch
from torch.nn.functional import cross_entropy, one_hot

TEXT = "the quick brown fox jumps over the lazy dog and the dog sleeps in the sun while the fox runs on and on "


class BigramTrainer:
    def __init__(self, text, lr):
        self.alphabet = sorted(set(text))
        ids = torch.tensor([self.alphabet.index(c) for c in text])
        self.now = one_hot(ids[:-1], len(self.alphabet)).float()
        self.next = ids[1:]
        self.lr = lr
        size = len(self.alphabet)
        self.params = [torch.zeros(size, size, requires_grad=True), torch.zeros(size, requires_grad=True)]

    def loss(self):
        table, bias = self.params
        return cross_entropy(self.now @ table + bias, self.next)

    def step(self):
        loss = self.loss()
        grads = torch.autograd.grad(loss, self.params)
        self.params = [p - self.lr * g for p, g in zip(self.params, grads)]
        return loss.item()

    def train(self, steps):
        for i in range(steps):
            loss = self.step()
            if i % 20 == 0:
                print(i, round(loss, 4))


BigramTrainer(TEXT, lr=5.0).train(80)
