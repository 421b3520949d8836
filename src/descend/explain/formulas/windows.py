"""What a kernel meets as it moves over an image: shared by convolution and pooling, in one dimension or two."""

import itertools
from collections.abc import Sequence

from torch import Tensor


def windows(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], places: Sequence[int]
) -> list[Tensor]:
    """For each place of the kernel the entries that it meets: views (B, channels, *places) of x (B, channels, *axes)."""
    found = []
    for at in itertools.product(*map(range, kernel)):
        cut = tuple(
            slice(d * k, d * k + s * (n - 1) + 1, s) for k, d, s, n in zip(at, dilation, stride, places, strict=True)
        )
        found.append(x[(slice(None), slice(None), *cut)])
    return found


def places_of(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """How many places the kernel takes along each axis of a padded image."""
    return [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)]


def inside(x: Tensor, margins: Sequence[tuple[int, int]]) -> Tensor:
    """x (B, channels, *axes) without what was added before and after each axis."""
    cut = tuple(slice(before, size - after) for (before, after), size in zip(margins, x.shape[2:], strict=True))
    return x[(slice(None), slice(None), *cut)]


def flat_margins(margins: Sequence[tuple[int, int]]) -> list[int]:
    """Margins as ``torch.nn.functional.pad`` wants them: the last axis first."""
    return [each for margin in reversed(margins) for each in margin]
