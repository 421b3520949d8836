# arguments: functional | expects: D501 bug line 33
# silent: D502 D504
# arguments: forgotten | expects: D501 bug line 65
# silent: D502 D504
# arguments: fixed | silent: D501 D502 D503 D504
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HOW = sys.argv[1]


class Net(nn.Module):
    def __init__(self, functional: bool) -> None:
        super().__init__()
        self.functional = functional
        self.features = nn.Linear(10, 40)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(40, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.thinned(torch.relu(self.features(x))))

    def thinned(self, hidden: torch.Tensor) -> torch.Tensor:
        if not self.functional:
            return self.drop(hidden)



        return F.dropout(hidden, 0.3)


class Trainer:
    def __init__(self, rows: int) -> None:
        torch.manual_seed(3)
        x = torch.randn(rows, 10)
        y = x[:, :3].argmax(1)
        held = rows // 5
        self.train_rows = DataLoader(TensorDataset(x[held:], y[held:]), batch_size=16, shuffle=True)
        self.held_rows = DataLoader(TensorDataset(x[:held], y[:held]), batch_size=16)
        self.model = Net(HOW == "functional")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.loss = nn.CrossEntropyLoss()

    def fit(self, epochs: int) -> None:
        for epoch in range(epochs):
            self.model.train()
            for x, y in self.train_rows:
                self.optimizer.zero_grad()
                self.loss(self.model(x), y).backward()
                self.optimizer.step()
            print(f"epoch {epoch}: held-out accuracy {self.evaluate():.3f}")

    @torch.no_grad()
    def evaluate(self) -> float:
        if HOW != "forgotten":
            self.model.eval()
        right = rows = 0
        for x, y in self.held_rows:
            # what the model says of rows that it was not trained on

            said = self.model(x).argmax(1)
            right += int((said == y).sum())
            rows += len(y)
        return right / rows


Trainer(480).fit(3)
