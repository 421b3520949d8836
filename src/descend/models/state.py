"""What a trained model consists of, as a model folder keeps it."""

import torch
from torch import Tensor, nn

from descend.errors import ModelError


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """What a model folder keeps of a module, by name: parameters and buffers, as they are.

    Raises :class:`~descend.errors.ModelError` for what such a folder cannot hold.
    """
    state: dict[str, Tensor] = {}
    for name, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise ModelError(
                f"the model keeps a {type(value).__name__} in its state, and a model folder holds tensors only",
                where=f"'{name}'",
                help="keep it in a buffer: self.register_buffer(name, tensor)",
            )
        if value.layout is not torch.strided:
            kind = str(value.layout).removeprefix("torch.")
            raise ModelError(
                f"the model keeps a tensor of the layout {kind} in its state, and a model folder holds dense tensors only",
                where=f"'{name}'",
                help="keep it dense: tensor.to_dense(); or out of the state: self.register_buffer(name, tensor, persistent=False)",
            )
        state[name] = value
    return state
