# expects: D601 likely line 22
# A class that trains: Adam with a rate that throws every weight far away in the first steps.
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.head = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


class Trainer:
    def __init__(self, model: nn.Module, loader: DataLoader, rate: float) -> None:
        self.model = model
        self.loader = loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        self.criterion = nn.CrossEntropyLoss()

    def fit(self, epochs: int) -> None:
        for _ in range(epochs):
            total = 0.0
            for x, y in self.loader:
                total += self.step(x, y)
            print(f"{total / len(self.loader):.3f}")

    def step(self, x: torch.Tensor, y: torch.Tensor) -> float:
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        # The line that moves them all.
        self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
centres = torch.randn(4, 12)
labels = torch.randint(0, 4, (512,))
points = centres[labels] + 2.0 * torch.randn(512, 12)
loader = DataLoader(TensorDataset(points, labels), batch_size=32, shuffle=True)
Trainer(Classifier(), loader, rate=1.0).fit(3)
