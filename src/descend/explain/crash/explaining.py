"""From an error to what it means: the kinds that are known, and what is said of all others."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from descend.explain.crash import devices, dtypes, gradients, in_place, losses, modules, shapes
from descend.explain.crash.failure import Explanation, Failure, failure_of, first_words
from descend.explain.crash.values import is_module, is_tensor, torch_is_there, untouched
from descend.watch.cells import name_of_file

_LONGEST_MESSAGE = 20_000
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class _Kind:
    """Errors whose text holds the pattern."""

    pattern: str
    explain: Callable[[Failure, re.Match[str]], Explanation | None]


# In this order: a pattern that says more stands before one that says less.
_KINDS = (
    _Kind(r"Error\(s\) in loading state_dict", modules.state_dict),
    _Kind(r"out of memory|DefaultCPUAllocator: can't allocate|DefaultCPUAllocator: not enough memory", devices.memory),
    _Kind(r"device-side assert", devices.assertion_on_device),
    _Kind(r"not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|CUDA driver", devices.no_cuda),
    _Kind(r"same device|is not on the expected device", devices.two_devices),
    _Kind(r"Input type \(torch\.\w+Tensor\) and \w+ type \(torch\.cuda|Input type \(torch\.cuda\.\w+\) and \w+ type \(torch\.\w+Tensor", devices.two_devices),
    _Kind(r"mat1 and mat2 shapes|weight\.T shapes|size mismatch, got input|inconsistent tensor size|first two dimensions of batch2", shapes.product),
    _Kind(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)", shapes.broadcast),
    _Kind(r"shape '(\[[-\d, ]*\])' is invalid for input of size (\d+)", shapes.view),
    _Kind(r"view size is not compatible", shapes.strides),
    _Kind(r"Dimension out of range \(expected to be in range of \[(-?\d+), (-?\d+)\], but got (-?\d+)\)", shapes.axis),
    _Kind(r"stack expects each tensor|Sizes of tensors must match except", shapes.joined),
    _Kind(r"[Kk]ernel size can't be greater|Output size is too small", shapes.too_small),
    _Kind(r"Given groups=|Expected \dD \(unbatched\)|Given normalized_shape|running_mean should contain|equal to input_size", shapes.width_of_layer),
    _Kind(r"Expected more than 1 value per channel", modules.batch_of_one),
    _Kind(r"floating point type for target with class probabilities", dtypes.target),
    _Kind(r"expected target dtype to be Long or Byte, but got (\w+)|expected scalar type Long but found (\w+)", dtypes.target),
    _Kind(r"nll_loss\w*\" not implemented for '(\w+)'", dtypes.target),
    _Kind(r"target tensor expected, multi-target|target batch_size|Expected target size|got input: .*target:", losses.target_size),
    _Kind(r"Target size .* must be the same as input size|Using a target size", losses.same_size),
    _Kind(r"Target (-?\d+) is out of bounds", losses.class_number),
    _Kind(r"index out of range in self", losses.table_index),
    _Kind(r"all elements of input should be between 0 and 1", losses.between_zero_and_one),
    _Kind(r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)", shapes.position),
    _Kind(r"for argument #1 'indices'|tensors used as indices must be", dtypes.indices),
    _Kind(r"can't be cast to the desired output type", dtypes.binary_target),
    _Kind(r"Found dtype (\w+) but expected (\w+)", dtypes.backward),
    _Kind(r"same dtype|expected scalar type|Input type \([\w. ]+\) and \w+ type", dtypes.unequal),
    _Kind(r"\" not implemented for '(\w+)'|could not infer output dtype.*Got: (\w+)", dtypes.whole_numbers),
    _Kind(r"nly Tensors of floating point", dtypes.gradient_of_integers),
    _Kind(r"does not require grad and does not have a grad_fn", gradients.no_graph),
    _Kind(r"backward through the graph a second time", gradients.used_graph),
    _Kind(r"leaf Variable that requires grad is being used in an in-place", in_place.leaf),
    _Kind(r"modified by an inplace operation: \[\S+ (\[[\d, ]*\])\], which is output \d+ of (\w+), is at version (\d+); expected version (\d+)", in_place.changed),
    _Kind(r"created only for scalar outputs", gradients.scalar_only),
    _Kind(r"'(?:float|int)' object has no attribute 'backward'", gradients.number_not_tensor),
    _Kind(r"NoneType", gradients.no_gradient),
    _Kind(r"must be Tensor, not ([\w.]+)", modules.missing_value),
    _Kind(r"before Module\.__init__\(\) call", modules.not_yet),
    _Kind(r"'(\w+)' object has no attribute '(\w+)'", modules.no_attribute),
    _Kind(r"empty parameter list", modules.no_parameters),
    _Kind(r"Boolean value of Tensor|one element tensors|cannot be converted to Scalar", modules.one_number),
    _Kind(r"call numpy\(\) on Tensor that requires grad", modules.has_graph),
)  # fmt: skip


def explain_error(
    error: BaseException, own: Callable[[str], bool], sources: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """What an error means at the line of the program that it came from, as JSON values; None where there is nothing to add.

    Args:
        error: as it left the program, with its traceback.
        own: whether a file belongs to the program, and not to a library.
        sources: the text of files and cells by the name of their code; read from disk where it is not given.

    The answer holds kind, title, file, line, source, function, variables (name, shape, dtype, device, requires_grad, note,
    came_from_line), expected, because, fix (lines of code), fix_at (the file, and the first and last line that they take the
    place of; None without a fix) and url. An error that is not known has the kind ``unknown`` and the variables of its line;
    without a tensor or module among them, None.

    Runs no code of the program's, changes nothing, keeps no reference to the error or its frames, and never raises.
    """
    kind = type(error)  # isinstance would ask the error itself
    if issubclass(kind, BaseExceptionGroup) or not issubclass(kind, Exception) or not torch_is_there():
        return None
    try:
        with untouched():
            failure = failure_of(error, own, sources or {})
            return _told(failure) if failure is not None else None
    except Exception:  # noqa: BLE001 - the program's own error is what counts; ours must never stand in its place
        return None


def _told(failure: Failure) -> dict[str, Any] | None:
    explanation = _known(failure)
    if explanation is None:
        if not any(is_tensor(value) or is_module(value) for _, value in failure.chains):
            return None
        words = first_words(failure.error).partition("\n")[0]
        explanation = Explanation("unknown", f"{type(failure.error).__name__}: {words}" if words else type(failure.error).__name__, "", "")  # fmt: skip
    fix = explanation.fix
    source = failure.source_of(fix.file) if fix is not None else None
    if fix is not None and (source is None or not source.is_sound(fix)):
        fix = None
    return {
        "kind": explanation.kind,
        "title": explanation.title[:_LONGEST_LINE],
        "file": name_of_file(failure.file),
        "line": failure.line,
        "source": failure.source.line(failure.line)[:_LONGEST_LINE] if failure.source is not None else "",
        "function": failure.frame.f_code.co_name,
        "variables": [asdict(each) | {"shape": None if each.shape is None else list(each.shape)} for each in failure.variables(explanation)],
        "expected": explanation.expected[:_LONGEST_LINE],
        "because": explanation.because[:_LONGEST_LINE],
        "fix": [line[:_LONGEST_LINE] for line in fix.lines] if fix is not None else [],
        "fix_at": {"file": name_of_file(fix.file), "first": fix.first, "last": fix.last} if fix is not None else None,
        "url": explanation.url,
    }  # fmt: skip


def _known(failure: Failure) -> Explanation | None:
    message = failure.message[:_LONGEST_MESSAGE]
    if type(failure.error).__module__.partition(".")[0] not in ("builtins", "torch"):
        return None
    for kind in _KINDS:
        match = re.search(kind.pattern, message)
        if match is not None:
            explanation = kind.explain(failure, match)
            if explanation is not None:
                return explanation
    return None
