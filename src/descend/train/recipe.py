"""The recipe: a frozen description of one training, and the one place where its settings are named, checked and explained."""

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import Field, asdict, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from descend.errors import RecipeError, UsageError, did_you_mean

MODELS = ("linear", "softmax", "mlp", "cnn")
ACTIVATIONS = ("relu", "tanh", "sigmoid")
INITIAL_VALUES = ("default", "normal", "xavier", "zeros")
LOSSES_OF_VALUES = ("mse", "mae", "huber")
LOSSES_OF_CLASSES = ("cross-entropy", "nll", "binary-cross-entropy")
OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "one-cycle", "step", "plateau")
GRADIENTS = ("auto", "autograd", "by-hand")
DEVICES = ("auto", "cuda", "mps", "cpu")
LARGEST_SEED = 2**32 - 1
LONGEST_SHOWN = 200  # characters of a value in a message

Check = Callable[[Any], Any]  # gives the value in its own type, or raises ValueError with what was expected


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a word")
    return value


def _one_of(*words: str) -> Check:
    def check(value: Any) -> str:
        if value not in words:
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            raise ValueError(f"one of {', '.join(words)}{near}")
        return str(value)

    return check


def _whole(least: int, most: int | None = None) -> Check:
    limits = f"from {least:,} up" if most is None else f"from {least:,} to {most:,}"

    def check(value: Any) -> int:
        if not _is_whole(value) or value < least or (most is not None and value > most):
            raise ValueError(f"a whole number {limits}")
        return int(value)

    return check


def _number(*, least: float | None = None, above: float | None = None, below: float | None = None) -> Check:
    words = [f"at least {least:g}"] if least is not None else []
    words += [f"above {above:g}"] if above is not None else []
    words += [f"below {below:g}"] if below is not None else []

    def check(value: Any) -> float:
        number = _as_float(value)
        if (
            not math.isfinite(number)
            or (least is not None and number < least)
            or (above is not None and number <= above)
            or (below is not None and number >= below)
        ):
            raise ValueError(f"a number {' and '.join(words)}")
        return number

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _is_whole(value: Any) -> bool:
    """Also of numpy's types, and 1e3, which TOML reads as a float."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, Integral) and not isinstance(value, bool)


def _as_float(value: Any) -> float:
    """NaN for what is no number, infinity for what is too large for a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = [value] if _is_whole(value) else value
    if not isinstance(sizes, list | tuple) or not all(_is_whole(size) and 0 < size <= 1_000_000 for size in sizes):
        raise ValueError("the widths of the hidden layers, such as [128] or [256, 64]")
    return tuple(int(size) for size in sizes)


def _batch(value: Any) -> int | str:
    if isinstance(value, str) and value == "all":
        return "all"
    try:
        return int(_whole(1)(value))
    except ValueError:
        raise ValueError("a whole number from 1 up, or all") from None


def _or_none(check: Check) -> Check:
    def checked(value: Any) -> Any:
        if value is None or (isinstance(value, str) and value == "none"):
            return None
        try:
            return check(value)
        except ValueError as expected:
            raise ValueError(f"{expected}, or none") from None

    return checked


def setting(default: Any, check: Check, meaning: str) -> Any:
    """A field of the recipe: its default, the check of its values and what it means, in words."""
    return field(default=default, metadata={"check": check, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the numbers of one training. Two runs of one recipe on one machine and build are bit-equal."""

    data: str = setting("mnist", _text, "the examples: a built-in set, or arrays")
    layout: str = setting("rows", _text, "how the table is laid out; reshape repeats a published fault of scores-two")
    validation: float = setting(0.0, _number(least=0, below=1), "share of the training rows kept apart to choose by")
    model: str = setting("mlp", _text, f"{', '.join(MODELS)}, or path/to/file.py:ClassName")
    sizes: tuple[int, ...] = setting((128,), _sizes, "widths of the hidden layers of mlp")
    activation: str = setting("relu", _one_of(*ACTIVATIONS), f"between the layers of mlp: {', '.join(ACTIVATIONS)}")
    initial: str = setting("default", _one_of(*INITIAL_VALUES), f"initial values: {', '.join(INITIAL_VALUES)}")
    loss: str = setting("cross-entropy", _one_of(*LOSSES_OF_VALUES, *LOSSES_OF_CLASSES), "what training makes small")
    optimizer: str = setting("adam", _one_of(*OPTIMIZERS), f"how a gradient changes a value: {', '.join(OPTIMIZERS)}")
    lr: float = setting(0.001, _number(above=0), "learning rate, or the highest of its schedule")
    momentum: float = setting(0.0, _number(least=0, below=1), "of sgd: share of the last change that is kept")
    nesterov: bool = setting(False, _flag, "of sgd with momentum: look ahead")
    beta1: float = setting(0.9, _number(least=0, below=1), "of adam and adamw: decay of the mean of gradients")
    beta2: float = setting(0.999, _number(least=0, below=1), "of adam and adamw: decay of the mean of their squares")
    epsilon: float = setting(1e-8, _number(above=0), "of adam and adamw: keeps a division finite")
    weight_decay: float = setting(0.0, _number(least=0), "pull of every value towards zero")
    schedule: str = setting("constant", _one_of(*SCHEDULES), f"of the learning rate: {', '.join(SCHEDULES)}")
    schedule_every: int = setting(
        10, _whole(1), "step: epochs between two drops; plateau: epochs to wait for a lower loss"
    )
    schedule_factor: float = setting(0.1, _number(above=0, below=1), "step and plateau: what each drop multiplies by")
    clip: float | None = setting(None, _or_none(_number(above=0)), "largest norm of the whole gradient")
    batch_size: int | str = setting(64, _batch, "rows a step looks at, or all")
    accumulate: int = setting(1, _whole(1), "batches whose gradients make one update")
    shuffle: bool = setting(True, _flag, "a new order of the rows every epoch, drawn from the seed and the epoch")
    epochs: int = setting(10, _whole(1, 10_000_000), "passes over the training rows")
    early_stopping: int | None = setting(None, _or_none(_whole(1)), "epochs to wait for a lower validation loss")
    seed: int = setting(0, _whole(0, LARGEST_SEED), "where all random numbers start")
    gradients: str = setting("auto", _one_of(*GRADIENTS), "by closed forms (by-hand) or by autograd")
    device: str = setting("auto", _one_of(*DEVICES), f"where the arithmetic happens: {', '.join(DEVICES)}")
    threads: int | None = setting(None, _or_none(_whole(1, 1024)), "processor threads of one operation")

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that ``as_json`` wrote; RecipeError where it did not."""
        settings, problems = check_settings(values)
        if problems:
            raise RecipeError(problems, help="the recipe was changed by hand, or written by a newer descend")
        return cls(**settings)


SETTINGS: Mapping[str, Field[Any]] = {each.name: each for each in fields(Recipe)}


def check_settings(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Each given setting in its own type, and a line for each that is unknown or has a value it cannot have."""
    values, problems = {}, []
    for key, value in given.items():
        if key not in SETTINGS:
            problems.append(f"there is no setting '{shown(key)}'{did_you_mean(str(key), SETTINGS)}")
            continue
        try:
            values[key] = SETTINGS[key].metadata["check"](value)
        except ValueError as expected:
            problems.append(f"{key} = {shown(value)}: expected {expected}")
    return values, problems


def shown(value: Any) -> str:
    """A setting's value as a person would write it; floats with all their digits, the very long shortened."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(shown(each) for each in value)}]"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(float(value))
    text = hex(value) if isinstance(value, int) and value.bit_length() > 1000 else str(value)  # str() refuses huge ones
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def parse_assignment(text: str) -> tuple[str, Any]:
    """``"clip=1.0"`` → ``("clip", 1.0)``: the value is read as TOML where it is TOML, else as a number, else as a word."""
    key, equals, value = text.partition("=")
    key, value = key.strip().replace("-", "_"), value.strip()
    if not equals or not key or not value:
        raise RecipeError([f"'{text}' is not a setting"], help="write --set key=value, for example --set clip=1.0")
    try:
        read = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):  # not TOML, a number of too many digits, brackets without end
        read = {}
    return key, read["value"] if len(read) == 1 else _number_or_word(value)


def _number_or_word(text: str) -> float | str:
    """``.5`` and ``007`` are numbers to people, though not to TOML."""
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        return float(text)
    return text


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """The settings of several ``key=value`` texts; RecipeError lists all that are not of that form."""
    settings: dict[str, Any] = {}
    problems: list[str] = []
    for text in texts:
        try:
            key, value = parse_assignment(text)
            settings[key] = value
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems, help="write --set key=value, for example --set clip=1.0")
    return settings


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, as given there (not yet checked).

    Raises UsageError naming the file, and the line where the TOML is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise UsageError(f"there is no recipe '{path}'", help="give the path of a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"the recipe is not TOML: {error}",
            where=str(path),
            help='write a line for each setting: lr = 0.01, model = "mlp"',
        ) from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a number of too many digits
        raise UsageError(f"the recipe '{path}' cannot be read: {error}", help="give a TOML file in UTF-8") from None
