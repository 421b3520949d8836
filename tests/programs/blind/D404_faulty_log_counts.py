# expects: D404 bug line 14 | at most: D701 bug
# click rates from counts; ratios and logs of counts are the features
import torch
import torch.nn as nn

torch.manual_seed(3)
shown = torch.randint(50, 500, (256,)).float()
clicks = torch.distributions.Binomial(shown, 0.02).sample()
hours = torch.rand(256) * 24
bought = (torch.rand(256) < 0.1 + 0.02 * clicks).float()


def features():
    f = torch.stack([shown.log(), clicks.log(), hours / 24], dim=1)
    return f


data = features()
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(30):
    rows = torch.randint(0, 256, (64,))
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(data[rows]), bought[rows])
    loss.backward()
    opt.step()
print("final loss", loss.item())
