# expects: D305 bug line 17
# exits: 1
import torch
from torch import nn

# wine cultivar 1, 2 or 3 from five chemical values
torch.manual_seed(7)
cultivar = torch.randint(1, 4, (178,))
chemistry = torch.randn(178, 5) + cultivar[:, None] * torch.tensor([0.8, -0.5, 0.3, 0.0, 1.0])

model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(10):
    for rows in torch.randperm(178).split(32):
        optimizer.zero_grad()
        loss = criterion(model(chemistry[rows]), cultivar[rows])
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "done")
