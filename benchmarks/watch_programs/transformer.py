"""The next token by a small transformer: embeddings, two encoder layers, a causal mask, clipped gradients, a schedule."""

import torch
from stopwatch import Stopwatch, steps
from torch import nn

VOCABULARY, WIDTH, LENGTH, BATCH = 64, 64, 32, 16


class Transformer(nn.Module):
    """Two encoder layers between embeddings and a linear head."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.layers(x, mask=self.mask, is_causal=True))


torch.set_num_threads(1)
torch.manual_seed(0)
text = torch.arange(20_000) * 7 % 61
model = Transformer()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)

stopwatch = Stopwatch()
for _ in range(steps(300)):
    starts = torch.randint(len(text) - LENGTH - 1, (BATCH,)).tolist()
    x = torch.stack([text[start : start + LENGTH] for start in starts])
    y = torch.stack([text[start + 1 : start + LENGTH + 1] for start in starts])
    logits = model(x)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    stopwatch.step_is_over()

stopwatch.tell(loss.item())
