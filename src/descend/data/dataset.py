"""What every source of examples becomes: tensors in memory, with names and facts beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

Task = Literal["classes", "values"]


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows of features and their targets.

    features: (N, *shape) float32. targets: (N,) int64 class ids from 0, or (N, T) float32 values.
    """

    features: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples to learn from, perhaps examples to be examined on, and what they mean."""

    name: str
    title: str  # "60,000 images to learn from, 10,000 to be examined on · 28×28 → 10 digits"
    task: Task
    train: Examples
    test: Examples | None
    feature_names: tuple[str, ...]  # one a column; empty for images
    target_names: tuple[str, ...]  # class names, or the names of the target columns
    preparation: Mapping[
        str, Any
    ]  # how raw input becomes features, as JSON: {"kind": "digit", …} or {"kind": "columns", …}
    notes: tuple[str, ...] = ()  # what the reader should know: "layout reshape repeats a published fault: …"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one example's features, e.g. (1, 28, 28) or (2,)."""
        return tuple(self.train.features.shape[1:])

    @property
    def outputs(self) -> int:
        """Classes to tell apart, or values to predict."""
        return len(self.target_names)
