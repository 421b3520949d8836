# silent: D605
# silent: D604
# The activations were made and never called.
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 64)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(64, 3)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


torch.manual_seed(0)
model = Model()
x = torch.randn(90, 8)
y = torch.randint(0, 3, (90,))
adam = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(25):
    adam.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    adam.step()
