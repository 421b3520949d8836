"""The whole landscape of linear least squares: its minimum, its curvature, and where gradient descent is at any epoch.

In the basis of the Hessian's eigenvectors every coordinate shrinks by its own factor 1 − lr·λ each epoch, so that epoch t is a
power, not a loop of t steps (see G. Goh, "Why Momentum Really Works", Distill, 2017). float64 throughout; needs no PyTorch.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_NO_EPOCH = 2**62  # beyond this many epochs: never


@dataclass(frozen=True)
class Landscape:
    """The loss mean (ŷ − y)² over all values, for ŷ = x·W + b, as a function of W and b.

    Made by :meth:`of`. Parameters θ are the rows of W (features, outputs) with b below them where there is one.
    """

    x: Array
    """(N, features), with a column of ones for the bias."""
    y: Array
    """(N, outputs)"""
    bias: bool

    @classmethod
    def of(cls, features: ArrayLike, targets: ArrayLike, *, bias: bool = True) -> "Landscape":
        """features: (N, features). targets: (N,) or (N, outputs)."""
        x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
        assert x.ndim == 2, f"features are a table, not {x.shape}"
        assert len(x) == len(y) > 0, f"{len(x)} rows of features, {len(y)} of targets"
        x = np.column_stack([x, np.ones(len(x))]) if bias else x
        return cls(x, y.reshape(len(y), -1), bias)

    @cached_property
    def _factors(self) -> tuple[Array, Array, Array]:
        """Left vectors (N, k), eigenvalues (k,) ascending and eigenvectors as columns (parameters, k)."""
        left, singular, right = np.linalg.svd(self.x, full_matrices=False)
        values = 2 / self.y.size * singular**2
        order = np.argsort(values)
        return left[:, order], values[order], right.T[:, order]

    @cached_property
    def _singular(self) -> Array:
        """Singular values of x that are not only rounding, as 0 or themselves, in the order of the eigenvalues."""
        singular = np.sqrt(self._factors[1] * self.y.size / 2)
        least = float(singular.max(initial=0.0)) * max(self.x.shape) * np.finfo(np.float64).eps
        return np.where(singular > least, singular, 0.0)

    @cached_property
    def eigenvalues(self) -> Array:
        """Of the Hessian of one output, ascending, one for each parameter; those that are only rounding are 0."""
        found = 2 / self.y.size * self._singular**2
        return np.concatenate([np.zeros(self.x.shape[1] - len(found)), found])

    @property
    def condition(self) -> float:
        """λmax/λmin: how much longer the flattest direction takes than the steepest. Infinite where a direction is flat."""
        least, most = float(self.eigenvalues[0]), float(self.eigenvalues[-1])
        return most / least if least else math.inf

    @property
    def largest_stable_rate(self) -> float:
        """2/λmax: below it the loss falls every epoch, above it it grows without end."""
        most = float(self.eigenvalues[-1])
        return 2 / most if most else math.inf

    @property
    def best_rate(self) -> float:
        """2/(λmin + λmax), with the least λ that is not 0: the constant learning rate that is best in the long run.

        Its slowest direction is faster than under any other; the steep ones may be slower.
        """
        curved = self.eigenvalues[self.eigenvalues > 0]
        return float(2 / (curved[0] + curved[-1])) if len(curved) else math.inf

    @cached_property
    def minimum(self) -> Array:
        """θ (parameters, outputs) where the loss is least; of several the one nearest to 0."""
        left, _, right = self._factors
        with np.errstate(divide="ignore"):
            inverse = np.where(self._singular > 0, 1 / self._singular, 0.0)
        found: Array = right @ (inverse[:, None] * (left.T @ self.y))
        return found

    @cached_property
    def floor(self) -> float:
        """The least loss there is."""
        return self.loss(self.minimum)

    def loss(self, parameters: ArrayLike) -> float:
        """At θ (parameters, outputs), or (parameters,) for one output."""
        theta = np.asarray(parameters, dtype=np.float64).reshape(self.x.shape[1], -1)
        return float(np.mean((self.x @ theta - self.y) ** 2))

    def descent(self, start: ArrayLike, lr: float) -> "Descent":
        """Full-batch plain gradient descent from θ = ``start``."""
        return Descent(self, np.asarray(start, dtype=np.float64).reshape(self.x.shape[1], -1), float(lr))

    def standardised(self) -> "Landscape":
        """The same with every feature less its mean, divided by its standard deviation; constant features become 0.

        With a bias the floor stays: the same predictions can be made.
        """
        features = self.x[:, :-1] if self.bias else self.x
        deviation = features.std(axis=0)
        centred = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        return Landscape.of(np.where(deviation > 0, centred, 0.0), self.y, bias=self.bias)


@dataclass(frozen=True)
class Descent:
    """Plain gradient descent on a :class:`Landscape`: θ ← θ − lr·∂L/∂θ, where it is after any number of epochs."""

    landscape: Landscape
    start: Array
    lr: float

    @cached_property
    def _modes(self) -> tuple[Array, Array, Array]:
        """Of each eigenvector: its λ (k,), the vector (parameters, k), and how far off the start is along it (k, outputs)."""
        _, _, vectors = self.landscape._factors  # noqa: SLF001 - the two classes are one thing
        values = 2 / self.landscape.y.size * self.landscape._singular**2  # noqa: SLF001 - see above
        return values, vectors, vectors.T @ (self.start - self.landscape.minimum)

    @property
    def is_stable(self) -> bool:
        """Whether the loss falls every epoch."""
        return self.lr < self.landscape.largest_stable_rate

    @cached_property
    def growth(self) -> float:
        """What the distance of the worst direction is multiplied by each epoch: above 1, the loss in the end grows by its square.

        Directions without curvature, and those in which the start is at the minimum already, are left out; 0 where that is all.
        """
        values, _, off = self._modes
        moving = (values > 0) & (np.abs(off).max(axis=1, initial=0.0) > 0)
        return float(np.abs(1 - self.lr * values[moving]).max(initial=0.0))

    def parameters(self, epoch: int) -> Array:
        """θ (parameters, outputs) after ``epoch`` epochs, exactly, without going through those before."""
        _, vectors, off = self._modes
        # Only what has changed is added, so that what has no curvature stays to the last bit.
        with np.errstate(over="ignore", invalid="ignore"):
            found: Array = self.start + vectors @ ((self._factors(epoch) - 1)[:, None] * off)
        return found

    def loss(self, epoch: int) -> float:
        """The loss after ``epoch`` epochs; infinite where it is beyond all numbers."""
        return self.landscape.floor + self.excess(epoch)

    def excess(self, epoch: int) -> float:
        """How far the loss is above its floor after ``epoch`` epochs."""
        values, _, off = self._modes
        with np.errstate(over="ignore"):
            left = self._factors(epoch)[:, None] * off
            return float(np.sum(values[:, None] / 2 * left**2, where=values[:, None] > 0))

    def epochs_until(self, excess: float) -> int | None:
        """The first epoch after which the loss is at most ``excess`` above its floor; None where that never comes.

        Found by halving, as the excess never grows below the largest stable rate.
        """
        if self.excess(0) <= excess:
            return 0
        if not self.is_stable or self.lr <= 0 or excess <= 0:
            return None
        late = 1
        while self.excess(late) > excess:
            late *= 2
            if late > _NO_EPOCH:
                return None
        early = late // 2
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if self.excess(middle) <= excess else (middle, late)
        return late

    def _factors(self, epoch: int) -> Array:
        """(1 − lr·λ)ᵗ of each direction."""
        base = 1 - self.lr * self._modes[0]
        with np.errstate(over="ignore", under="ignore"):
            size: Array = np.abs(base) ** float(epoch)
        return np.where((base < 0) & (epoch % 2 == 1), -size, size)


@dataclass(frozen=True)
class Needed:
    """How many epochs bring the loss close to its floor; None where no number does."""

    loss: float
    """What counts as close: the loss to come to."""
    now: int | None
    """At the learning rate of the run."""
    standardised: int | None
    """Once every feature is standardised, at the learning rate below."""
    standardised_rate: float
    """The constant learning rate that is best there in the long run."""


def epochs_needed(landscape: Landscape, start: ArrayLike, lr: float, share: float = 0.01) -> Needed:
    """Epochs until the loss is within ``share`` of its floor, now and after standardising.

    Where the floor is nothing beside the loss at the start (the rows lie on a line), close is a millionth of that loss above it.
    The standardised features are started from the same numbers, and have to come to the same loss.
    """
    now = landscape.descent(start, lr)
    above = share * landscape.floor
    if landscape.floor < 1e-6 * now.loss(0):
        above = 1e-6 * now.loss(0)
    scaled = landscape.standardised()
    wanted = landscape.floor + above
    return Needed(
        wanted,
        now.epochs_until(above),
        scaled.descent(start, scaled.best_rate).epochs_until(wanted - scaled.floor),
        scaled.best_rate,
    )
