# at most: D605 note
# silent: D604
# What an encoder answers is what is wanted of it; a projector of its own is there for the loss alone (as in BYOL and SimSiam).
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 12)
encoder = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 32))
projector = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32))
predictor = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32))
opt = torch.optim.Adam([*encoder.parameters(), *projector.parameters(), *predictor.parameters()], lr=0.003)
for _ in range(25):
    one, other = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
    answers = predictor(projector(encoder(one)))
    with torch.no_grad():
        wanted = projector(encoder(other))
    opt.zero_grad()
    (1 - nn.functional.cosine_similarity(answers, wanted)).mean().backward()
    opt.step()
