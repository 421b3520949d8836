"""What the parts of an ejected script have to know of the training, in one place."""

import math
from dataclasses import dataclass
from pathlib import Path

from descend.train.recipe import Recipe

LONGEST_LINE = 120


def quoted(text: str) -> str:
    """``text`` as Python writes it, in double quotes where that needs no more escapes."""
    written = repr(text)
    return written if '"' in text or written[0] == '"' else f'"{written[1:-1]}"'


@dataclass(frozen=True, slots=True)
class UserModel:
    """A model from a file of the user's: where it is, and how it is made."""

    path: Path
    name: str
    call: str  # "Net(in_features=3)", or the name alone where the file holds a module ready made
    ready_made: bool
    lazy: bool  # whether some layers take their sizes from an example
    changed: bool  # whether the file has another text than in the run

    def import_lines(self) -> list[str]:
        """Lines that make ``name`` known; a module ready made is imported later, when the random numbers stand as in the run."""
        lines = [f"sys.path.insert(0, {quoted(str(self.path.parent))})  # where {self.path.stem}.py lies"]
        return lines if self.ready_made else [*lines, f"from {self.path.stem} import {self.name}"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One training, as its script has to do it."""

    recipe: Recipe
    feature_shape: tuple[int, ...]  # of one example
    outputs: int  # numbers the model gives for one example
    classes: bool  # whether classes are told apart; else values are predicted
    rows: int  # to learn from, without those held back
    largest_part: int  # rows of the largest part that is examined
    parts: tuple[str, ...]  # of "train", "validation" and "test", those there are
    user: UserModel | None

    @property
    def inputs(self) -> int:
        return math.prod(self.feature_shape)

    @property
    def by_hand(self) -> bool:
        """Whether the run took its gradients from closed forms."""
        return self.recipe.gradients == "by-hand"

    @property
    def sums_errors(self) -> bool:
        """Whether the factor 2/n of the squared error was applied last, to the sums, which rounds in another way than autograd."""
        return self.by_hand and self.recipe.loss == "mse"

    @property
    def in_two_letters(self) -> bool:
        """Whether everything fits on paper: a line through columns, w and b, plain gradient descent."""
        recipe = self.recipe
        return (
            self.sums_errors
            and (recipe.model, recipe.optimizer, recipe.device) == ("linear", "sgd", "cpu")
            and recipe.initial != "default"
            and not (recipe.momentum or recipe.weight_decay or recipe.clip or recipe.validation)
            and recipe.accumulate == 1
            and len(self.feature_shape) == 1
        )

    @property
    def whole(self) -> bool:
        """Whether every step looks at all rows."""
        return self.recipe.batch_size == "all"

    @property
    def batch_size(self) -> int:
        return self.rows if self.whole else min(int(self.recipe.batch_size), self.rows)

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.recipe.epochs * -(-self.rows // min(self.batch_size * self.recipe.accumulate, self.rows))

    @property
    def keeps_gradients(self) -> bool:
        """Whether gradients must be there, as zeros, before the first backward."""
        return (self.user is not None and not self.by_hand) or (self.by_hand and self.recipe.accumulate > 1)

    @property
    def lists_parameters(self) -> bool:
        """Whether the script goes through the parameters itself."""
        plain_descent = self.recipe.optimizer == "sgd"
        touched = plain_descent or self.recipe.clip is not None or self.sums_errors or self.keeps_gradients
        return touched and not self.in_two_letters

    @property
    def has_rate_function(self) -> bool:
        """Whether the learning rate follows from the number of the step."""
        return self.recipe.schedule in ("cosine", "one-cycle", "step")
