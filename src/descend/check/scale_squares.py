"""A linear least-squares problem of a run, put together again from its fact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descend.check.course import Course
from descend.numerics.landscape import Landscape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """The problem, with the parameters that the training began with."""

    landscape: Landscape
    standardised: Landscape
    features: int
    rows: int
    start: Array
    full_batch: bool
    limit: float  # the largest stable learning rate

    @property
    def curvature(self) -> float:
        """The largest eigenvalue of the Hessian."""
        return float(self.landscape.eigenvalues[-1])


def problem_of(course: Course) -> Problem | None:
    """The least-squares problem that a training solves; None where its loss is another."""
    facts = course.facts("least_squares")
    if not facts:
        return None
    values = facts[0].values
    triangle = np.array(values["triangle"], dtype=np.float64)
    start = np.array(values["start"], dtype=np.float64)
    if not np.isfinite(triangle).all() or not np.isfinite(start).all() or values["rows_used"] < 2:
        return None
    columns = len(start)
    # The triangle has the same products of columns as the data, in fewer rows.
    rows = triangle * np.sqrt(len(triangle) / values["rows_used"] * max(values["scale"] or 0.0, 0.0))
    table, targets = rows[:, :columns], rows[:, columns:]
    features = columns - bool(values["bias"])
    landscape = Landscape(table, targets, bias=False)
    scaled = Landscape(table @ _standardising(table, features), targets, bias=False) if values["bias"] else landscape
    limit = course.limit(float(landscape.eigenvalues[-1]))
    return Problem(landscape, scaled, features, int(values["rows"]), start, bool(values["same"]), limit)


def _standardising(table: Array, features: int) -> Array:
    """What the columns are multiplied with to have mean 0 and standard deviation 1; the last one is of ones, up to its sign."""
    ones = table[:, -1]
    size = float(ones @ ones)
    change = np.eye(table.shape[1])
    for column in range(features):
        mean = float(table[:, column] @ ones) / size
        # Over rows whose squares sum to ``size`` as those of a column of ones do.
        deviation = float(np.linalg.norm(table[:, column] - mean * ones)) / np.sqrt(size)
        change[-1, column] = -mean
        change[:, column] /= deviation if deviation > 0 else 1.0
    return change
