"""Every parameter of a model in one flat tensor, and every gradient in another.

One tensor means one kernel an update instead of one a layer, and one norm instead of many. The model's own parameters become
views of it, so the model is always up to date.
"""

import torch
from torch import Tensor, nn

ALIGNMENT = 16  # elements; 64 bytes of float32, where PyTorch's own allocations start: the same address bits give the same rounding


class FlatParameters:
    """Views of one flat tensor of values and one of gradients, by parameter name.

    values, gradients: (n,) with a few elements of zero padding between parameters.
    """

    def __init__(self, module: nn.Module) -> None:
        trainable = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
        starts, end = [], 0
        for _, parameter in trainable:
            starts.append(end)
            end += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        like = trainable[0][1]
        self.values = torch.zeros(end, dtype=like.dtype, device=like.device)  # (n,)
        self.gradients = torch.zeros_like(self.values)  # (n,)
        self.value: dict[str, Tensor] = {}
        self.gradient: dict[str, Tensor] = {}
        self._spans: dict[str, tuple[int, torch.Size]] = {}
        for (name, parameter), start in zip(trainable, starts, strict=True):
            self._spans[name] = (start, parameter.shape)
            view = self.view(self.values, name)
            view.copy_(parameter.detach())
            parameter.data = view
            self.value[name], self.gradient[name] = view, self.view(self.gradients, name)

    def view(self, flat: Tensor, name: str) -> Tensor:
        """The part of ``flat`` (n,) that belongs to the parameter ``name``, in that parameter's shape."""
        start, shape = self._spans[name]
        return flat[start : start + shape.numel()].view(shape)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """``flat`` (n,) cut into the parameters' shapes, by name."""
        return {name: self.view(flat, name) for name in self._spans}
