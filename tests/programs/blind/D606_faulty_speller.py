# expects: D606 likely line 39
import torch
from torch import nn

LETTERS = "abcde "


def texts(n, length, g):
    """Words of one repeated letter: the letter after a blank is new, otherwise it stays."""
    ids = torch.randint(0, 5, (n, length), generator=g)
    for t in range(1, length):
        if t % 4 == 0:
            ids[:, t] = 5
        elif t % 4 != 1:
            ids[:, t] = ids[:, t - 1]
    return ids


class Speller(nn.Module):
    def __init__(self, d=24):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), d)
        self.rnn = nn.LSTM(d, d, batch_first=True)
        self.out = nn.Linear(d, len(LETTERS))


def main():
    g = torch.Generator().manual_seed(83)
    torch.manual_seed(0)
    ids = texts(240, 13, g)
    net = Speller()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(4):
        summed = 0.0
        for rows in torch.randperm(240).split(40):
            x = net.embed(ids[rows])
            state, loss = None, 0.0
            for t in range(12):
                y, _ = net.rnn(x[:, t : t + 1], state)
                loss = loss + nn.functional.cross_entropy(net.out(y[:, 0]), ids[rows, t + 1]) / 12
            opt.zero_grad()
            loss.backward()
            opt.step()
            summed += loss.item() / 6
        print(f"epoch {epoch} loss {summed:.4f}")


main()
