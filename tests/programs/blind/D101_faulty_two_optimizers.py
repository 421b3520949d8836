# expects: D101 bug line 22
"""A small autoencoder; encoder and decoder get their own learning rates."""

import torch
from torch import nn, optim

torch.manual_seed(7)
basis = torch.randn(3, 12)
signals = torch.randn(200, 3) @ basis

encoder = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))
decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 12))
enc_opt = optim.SGD(encoder.parameters(), lr=0.005)
dec_opt = optim.SGD(decoder.parameters(), lr=0.02)

for epoch in range(5):
    running = 0.0
    for batch in signals.split(40):
        enc_opt.zero_grad()
        rebuilt = decoder(encoder(batch))
        loss = nn.functional.mse_loss(rebuilt, batch)
        loss.backward()
        enc_opt.step()
        dec_opt.step()
        running += loss.item()
    print(f"{epoch} {running / 5:.4f}")
