"""One backward pass that waits for its update, and what is known of the line that it stands on."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType

import torch
from torch import Tensor

from descend.watch.kept import KeptParameters
from descend.watch.places import Place
from descend.watch.quiet import quiet

_HELD = 16 * 2**20  # bytes of leaves that may be held until the next backward


class Site:
    """A line that runs backward passes, and the way in which parameters are updated after it.

    ``way``: "optimizer", "version" (in place), "value" (through ``.data``), "rebound" (new tensors), or "" while nobody knows.
    """

    __slots__ = ("closure", "code", "looks", "names_epochs", "place", "rate", "seen", "way", "witness")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.way = ""
        self.seen = 0
        self.looks = 0
        self.closure = False  # its passes run inside of optimizer.step
        self.rate = float("nan")
        self.code: CodeType | None = None  # that the line stands in, once the next is known
        self.names_epochs = False  # whether that names a variable ``epoch``
        self.witness: weakref.ref[Tensor] | None = None  # the smallest leaf: whether it changed tells of all


@dataclass(slots=True, eq=False)
class Backward:
    """One backward pass, its loss, and how to find out later whether its leaves were updated."""

    loss: float | Tensor
    site: Site
    closure: bool = False  # it ran inside of optimizer.step
    thrown: bool = False  # its gradients were cleared before an update came
    returned: bool = False  # torch.autograd.grad returned the gradients, and no leaf got them
    index: int = 0  # of its segment in the step's timeline
    leaves: Sequence[Tensor] = ()
    versions: Sequence[int] = ()
    witness: Tensor | None = None
    version: int = 0
    copy: Tensor | None = None
    gradient: Tensor | None = None  # the witness's, before the pass
    gradient_version: int = 0

    def hold(self, leaves: Sequence[Tensor]) -> None:
        """Remember all leaves and the numbers of their versions (a sampled step)."""
        if leaves:
            self.site.witness = weakref.ref(min(leaves, key=Tensor.numel))
        if sum(leaf.nbytes for leaf in leaves) <= _HELD:
            self.leaves = list(leaves)
            self.versions = [leaf._version for leaf in leaves]
            self.witness = self.copy = None  # it may be one of parameters that are no longer trained
        else:
            self.hold_witness()

    def hold_witness(self) -> bool:
        """Remember the site's smallest leaf only (any other step); False when there is none any more."""
        reference = self.site.witness
        witness = reference() if reference is not None else None
        if witness is None:
            return False
        self.witness = witness
        self.version = witness._version
        self.gradient = gradient = witness.grad
        if gradient is not None:
            self.gradient_version = gradient._version
        if self.site.way == "value":
            with quiet():
                self.copy = witness.detach().clone()
        return True

    def reached_witness(self, inputs: Sequence[Tensor] | None = None) -> bool:
        """After the pass: whether the witness is one of its leaves still. A loop may have made new parameters."""
        witness = self.witness
        if witness is None:
            return True
        if inputs is not None:
            return any(one is witness for one in inputs)
        gradient = witness.grad
        return gradient is not self.gradient or (gradient is not None and gradient._version != self.gradient_version)

    def was_updated(self, kept: KeptParameters | None) -> str:
        """The way in which its leaves have been changed in place since, or ""."""
        for leaf, version in zip(self.leaves, self.versions, strict=False):
            if leaf._version != version:
                return "version"
        if self.witness is not None:
            if self.witness._version != self.version:
                return "version"
            if self.copy is not None:
                with quiet():
                    return "" if torch.equal(self.copy, self.witness.detach()) else "value"
        if kept is not None and any(kept.moved(leaf) for leaf in self.leaves):
            return "value"
        return ""

    def shares_leaves(self, others: Sequence["Backward"]) -> bool:
        """Whether one of its leaves is one of theirs; where leaves are not known, whether it stands on the same line."""
        if not self.leaves:
            return any(other.site is self.site for other in others)
        theirs = {id(leaf) for other in others for leaf in other.leaves}
        return any(id(leaf) in theirs for leaf in self.leaves)
