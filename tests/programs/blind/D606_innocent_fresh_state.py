# silent: D606
import torch
import torch.nn as nn

# numbers spelled bit by bit, each row starts anew; is more than half of the bits set?
torch.manual_seed(71)
bits = torch.randint(0, 2, (360, 9)).float()
more = (bits.sum(1) > 4.5).long()
gru, out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 2)
adam = torch.optim.Adam(list(gru.parameters()) + list(out.parameters()), lr=0.02)
for epoch in range(8):
    right = 0
    for idx in torch.randperm(360).split(36):
        _, last = gru(bits[idx].unsqueeze(-1))
        scores = out(last[0])
        adam.zero_grad()
        nn.functional.cross_entropy(scores, more[idx]).backward()
        adam.step()
        right += (scores.argmax(1) == more[idx]).sum().item()
    print(epoch, right / 360)
