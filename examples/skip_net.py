"""A model of your own: descend train mnist --model examples/skip_net.py:SkipNet --epochs 3

Each block adds something to what it was given instead of replacing it, so a gradient finds a short way back to the first layer.
`in_features` and `num_classes` are filled in from the data; every other argument has a default.
"""

from torch import Tensor, nn


class SkipNet(nn.Module):
    def __init__(self, in_features: int, num_classes: int, width: int = 64, blocks: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU()) for _ in range(blocks)
        )
        self.last = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (B, 1, 28, 28)
        x = self.first(x.flatten(1))  # (B, width)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)  # (B, classes)
