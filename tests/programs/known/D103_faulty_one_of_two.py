# expects: D103 bug line 10
# silent: D101, D102, D104, D105, D106, D107, D108
# The decoder's optimizer is never stepped: only half of the model learns.
import torch
from torch import nn

torch.manual_seed(7)
encoder, decoder = nn.Linear(6, 3), nn.Linear(3, 6)
encoder_optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
decoder_optimizer = torch.optim.SGD(decoder.parameters(), lr=0.1)
for i in range(25):
    x = torch.randn(32, 6)
    loss = (decoder(encoder(x).tanh()) - x).pow(2).mean()
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    loss.backward()
    encoder_optimizer.step()
