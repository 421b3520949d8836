# silent: D501
"""Predict the next note (0..11) of a melody from the four before it."""

import torch
from torch import nn
import torch.nn.functional as F


class Melody(nn.Module):
    def __init__(self, notes=12, size=10):
        super().__init__()
        self.note = nn.Embedding(notes, size)
        self.first = nn.Linear(4 * size, 48)
        self.last = nn.Linear(48, notes)

    def forward(self, before):
        h = F.relu(self.first(self.note(before).flatten(1)))
        return self.last(F.dropout(h, 0.4, training=self.training))


def melody(length):
    scale = [0, 2, 4, 5, 7, 9, 11]
    tune = [scale[(3 * i + i // 5) % 7] for i in range(length)]
    return torch.tensor(tune)


def evaluate(model, before, after):
    model.eval()
    with torch.no_grad():
        loss = F.cross_entropy(model(before), after)
    model.train()
    return loss.item()


def main():
    torch.manual_seed(111)
    windows = melody(330).unfold(0, 5, 1)
    learn, check = windows[:260], windows[265:]
    model = Melody()
    adam = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(1, 9):
        for rows in torch.randperm(len(learn)).split(52):
            loss = F.cross_entropy(model(learn[rows, :4]), learn[rows, 4])
            adam.zero_grad()
            loss.backward()
            adam.step()
        if epoch % 4 == 0:
            print(epoch, "loss on the rest of the melody", evaluate(model, check[:, :4], check[:, 4]))


if __name__ == "__main__":
    main()
