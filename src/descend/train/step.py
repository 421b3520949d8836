"""One step of training, readable as text. Everything else in this room exists so that this page can stay short."""

from collections.abc import Callable, Sequence

import torch

from descend.train.engine import Engine

Rows = torch.Tensor | slice
Tick = Callable[[str], None]


def step(
    engine: Engine,
    batches: Sequence[tuple[Rows, float]],
    lr: float,
    clip: float | None,
    tick: Tick,
    pause: Callable[[], None] | None,
) -> None:
    """data → forward → loss → backward → update → zero, once.

    batches: one batch of B rows and its share 1.0, or several whose gradients are accumulated. ``tick`` is told when a phase
    is over. Nothing here waits for the device: losses are written where the loop reads them later.
    """
    for rows, share in batches:
        x, y = engine.fetch(rows)  # (B, …), and (B,) or (B, T)
        tick("data")
        output = engine.forward(x)  # (B, outputs)
        tick("forward")
        loss = engine.loss(output, y)  # ()
        tick("loss")
        engine.backward(loss, share)  # adds share · ∂loss/∂θ to every gradient
        tick("backward")
        engine.log(loss, share)
    if pause:
        pause()  # a debugger opens here: x, y, output, loss and engine.parameters.gradient are at hand
    if clip is not None:
        engine.clip(clip)
    engine.update(lr)
    tick("update")
    engine.zero()
    tick("zero")
