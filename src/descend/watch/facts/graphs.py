"""What the graph of a loss tells before its backward pass walks it: how old its parts are, and what the loss was multiplied with last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from torch import Tensor

from descend.watch.facts.walk import kind_of, saved

_MOST = 5_000  # nodes of one graph
_COPIES = frozenset(["ToCopy", "Clone"])
_FACTORS = frozenset(["Div", "Mul"])
_LONGEST = 12  # nodes from the loss on that have one input only
_REDUCED = {1: "mean", 2: "sum"}  # as PyTorch's losses number it


@dataclass(slots=True)
class Ages:
    """Leaves of a graph that have been updated since it was made."""

    stale: list[Tensor] = field(default_factory=list)
    copied: list[Tensor] = field(default_factory=list)  # of those the ones that only a copy was made of


@dataclass(slots=True)
class _Uses:
    leaf: Tensor
    newest: int = -1
    kinds: set[str] = field(default_factory=set)


def number_of(loss: Any) -> int:
    """The same number when the same graph is walked again, a higher one for a newer graph; -1 where the loss has none."""
    node = loss.grad_fn if isinstance(loss, Tensor) else None
    return _number(node) if node is not None else -1


def ages_of(loss: Tensor, updated: Mapping[int, int]) -> Ages | None:
    """Which leaves have no use in the graph that is newer than their last update. None for a huge graph.

    updated: by identity of a leaf, the number of the newest graph there was when it was updated.
    """
    uses = dict[int, _Uses]()
    root: Any = loss.grad_fn
    waiting: list[Any] = [root]
    seen = {root}
    while waiting:
        node = waiting.pop()
        for each, _ in node.next_functions:
            if each is None:
                continue
            if type(each).__name__ == "AccumulateGrad":
                use = uses.setdefault(id(each.variable), _Uses(each.variable))
                use.newest = max(use.newest, _number(node))
                use.kinds.add(kind_of(node))
            elif each not in seen:
                seen.add(each)
                waiting.append(each)
        if len(seen) > _MOST:
            return None
    old = [use for key, use in uses.items() if use.newest <= updated.get(key, -1)]
    return Ages([use.leaf for use in old], [use.leaf for use in old if use.kinds <= _COPIES])


def factor_of(loss: Tensor, *, skip: bool = False) -> tuple[float, str]:
    """What the loss was multiplied with after it became one number or just before, and how that number was made: "mean", "sum" or "".

    skip: leave the last operation out.
    """
    factor, how = 1.0, ""
    for place, node in enumerate(_chain(loss)):
        if skip and not place:
            continue
        kind = kind_of(node)
        if kind in _FACTORS:
            value = _constant(node)
            factor = factor / value if kind == "Div" and value else factor * value
        elif kind in ("Mean", "Sum"):
            how = how or kind.lower()
        else:
            reduction = getattr(node, "_saved_reduction", None)
            how = how or (_REDUCED.get(reduction, "") if isinstance(reduction, int) else "")
    return factor, how


def _chain(loss: Tensor) -> Iterator[Any]:
    """The nodes from the loss on, as long as there is only one way."""
    node: Any = loss.grad_fn
    for _ in range(_LONGEST):
        if node is None:
            return
        yield node
        made = [each for each, _ in node.next_functions if each is not None]
        node = made[0] if len(made) == 1 else None


def _constant(node: Any) -> float:
    """The number that a tensor was multiplied with or divided by; 1 where it was none."""
    made = node.next_functions
    other = saved(node, "self" if len(made) > 1 and made[0][0] is None else "other")
    if other is None or other.numel() != 1 or other.requires_grad or not other.is_cpu:
        return 1.0
    value = float(other.detach())
    return value if value and isfinite(value) else 1.0


def _number(node: Any) -> int:
    return int(node._sequence_nr())  # noqa: SLF001 - when a node was made has no public name
