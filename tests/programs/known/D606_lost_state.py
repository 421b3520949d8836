# expects: D606 likely line 20
# A sequence is read letter by letter, and each call begins anew.
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, passes):
        super().__init__()
        self.rnn = nn.LSTM(6, 20, batch_first=True)
        self.out = nn.Linear(20, 6)
        self.passes = passes

    def forward(self, x):
        state, scores = None, []
        for t in range(x.shape[1]):
            if self.passes:
                y, state = self.rnn(x[:, t : t + 1], state)
            else:
                y, _ = self.rnn(x[:, t : t + 1])
            scores.append(self.out(y[:, 0]))
        return torch.stack(scores, dim=1)


def train(passes=False):
    torch.manual_seed(0)
    letters = torch.randint(0, 6, (32, 9))
    x = nn.functional.one_hot(letters[:, :-1], 6).float()
    net = Reader(passes)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(10):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x).flatten(0, 1), letters[:, 1:].flatten()).backward()
        adam.step()


train()
