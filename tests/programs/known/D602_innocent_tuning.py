# silent: D602 D601
# A model that is good already, loaded and tuned with small steps.
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
labels = torch.randint(0, 3, (300,))
x = torch.randn(3, 8)[labels] + 0.3 * torch.randn(300, 8)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
quick = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(60):
    quick.zero_grad()
    F.cross_entropy(net(x), labels).backward()
    quick.step()
kept = {name: value.clone() for name, value in net.state_dict().items()}

tuned = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
tuned.load_state_dict(kept)
slow = torch.optim.Adam(tuned.parameters(), lr=1e-6)
for _ in range(60):
    slow.zero_grad()
    F.cross_entropy(tuned(x), labels).backward()
    slow.step()
