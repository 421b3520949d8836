"""What a model gives for a few rows, and whether that fits the labels."""

import torch
from torch import Tensor, nn

from descend.errors import ModelError
from descend.models.evaluating import evaluating
from descend.models.places import folder_of_forward, place_of_error, place_of_forward, said


def check_output(module: nn.Module, example_features: Tensor, outputs: int, loss: str, task: str) -> None:
    """Pass a few rows through ``module`` and refuse it when what comes out does not fit the labels.

    example_features: (N, *feature_shape), of which up to five rows are used. The output has to be (rows, outputs). loss and
    task ("classes" or "values") are named in the message. The pass runs without gradients in evaluation mode; modes and the
    state of the random generators are as before afterwards.

    Raises :class:`~descend.errors.ModelError`: the shape found, the shape expected, and what to change.
    """
    count = 5 if outputs == 4 else 4  # not as many rows as outputs, so that a turned axis is noticed
    rows = example_features[:count].clone()  # a forward that works in place must not reach the data
    devices = [rows.device.index or 0] if rows.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        output = forward(module, rows)
    shape, expected = tuple(rows.shape), (len(rows), outputs)
    if not isinstance(output, Tensor):
        raise ModelError(
            f"the model gives {'None' if output is None else 'a ' + type(output).__name__} for features {shape}; "
            f"{loss} needs one tensor {expected}",
            where=place_of_forward(module),
            help="end forward with: return the outputs" if output is None else "return the tensor of outputs alone",
        )
    found = tuple(output.shape)
    if found != expected:
        raise ModelError(
            f"the model's output does not fit the labels: for features {shape} it gives {found}, "
            f"and {loss} over {_labels(task, outputs)} needs {expected}",
            where=place_of_forward(module),
            help=_what_to_change(module, found, expected),
        )
    if not output.is_floating_point():
        raise ModelError(
            f"the model gives whole numbers ({output.dtype}), and {loss} needs real ones to take a gradient of",
            where=place_of_forward(module),
            help="return the scores themselves, without argmax, round or a comparison",
        )


def forward(module: nn.Module, features: Tensor) -> object:
    """What ``module`` gives for ``features`` in evaluation mode; ``ModelError`` with the user's line where it cannot take them."""
    try:
        with evaluating(module):
            return module(features)
    except SystemExit as error:
        raise ModelError(
            "the model ends the program where it is to give its outputs",
            where=place_of_error(error, folder_of_forward(module)) or place_of_forward(module),
            help="take the call that exits out of forward",
        ) from error
    except Exception as error:
        shape = tuple(features.shape)
        flatten = "begin forward with x = x.flatten(1), or " if len(shape) > 2 else ""
        raise ModelError(
            f"the model cannot take features of the shape {shape}: {said(error)}",
            where=place_of_error(error, folder_of_forward(module)) or place_of_forward(module),
            help=f"one batch is (rows, {', '.join(str(size) for size in shape[1:])}): {flatten}fit the first layer to it",
        ) from error


def _labels(task: str, outputs: int) -> str:
    if task == "classes":
        return f"{max(outputs, 2)} classes"  # one output tells two classes apart
    return f"{outputs} value{'' if outputs == 1 else 's'} a row"


def _what_to_change(module: nn.Module, found: tuple[int, ...], expected: tuple[int, int]) -> str:
    rows, outputs = expected
    if found == (rows,) and outputs == 1:
        return "keep the column: leave out the last squeeze(), or end forward with .unsqueeze(1)"
    if found == (rows,):
        return f"give {outputs} numbers a row, not one: leave out argmax, mean or squeeze at the end of forward"
    if not found or found[0] != rows:
        return f"the first axis has to stay the rows of the batch ({rows} here): use x.flatten(1), not a view of everything"
    if len(found) > 2:
        return f"flatten before the last layer: x.flatten(1), then nn.Linear(…, {outputs})"
    linear = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if linear and linear[-1][1].out_features == found[-1]:
        name, layer = linear[-1]
        return f"let the last layer '{name}' give {outputs}: nn.Linear({layer.in_features}, {outputs})"
    return f"let the last layer give {outputs} numbers a row, for example nn.Linear(…, {outputs})"
