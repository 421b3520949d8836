"""What watching costs, from the programs' own figures: the table, and the limits beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from tables import Rows, aligned, markdown_table, short

FIRST = 20  # steps that the programs do not count
PROGRAMS: Mapping[str, str] = {
    "scores": "five scores: by hand, then autograd",
    "line": "a line by autograd, updates by hand",
    "softmax": "MNIST, softmax on bare tensors",
    "layers": "nn.Sequential and SGD, 64 rows",
    "two_layer": "MNIST, DataLoader, two layers, Adam",
    "digits": "the same as torchvision gives it, three epochs",
    "cnn": "two convolutions, batch norm, AdamW",
    "transformer": "two encoder layers, a schedule",
    "lstm": "an LSTM with evaluations",
    "gan": "a GAN: two optimizers",
    "tiny": "1,000 tiny steps of nn.Linear",
}
START = "nothing"  # the program that imports PyTorch and ends
FAST = "digits"  # the program that --fast is tried on; needs torchvision

_SHORT = 100e-6  # seconds of a step below which microseconds are limited, and not the ratio
_MOST_MICROSECONDS, _MOST_RATIO, _MEDIAN_RATIO = 15, 1.10, 1.03
_MOST_START, _MOST_MEMORY, _LEAST_FAST = 0.3, 100, 3.5


@dataclass(frozen=True, slots=True)
class Run:
    """One process. Per step after the first twenty: seconds by the clock, processor seconds; and of the whole process."""

    steps: int | None
    seconds: float | None
    processor: float | None
    score: float | None
    wall: float
    processor_wall: float
    peak_mb: float
    told: float | None = None  # seconds that the report says watching cost
    whole: float | None = None  # seconds a step of the whole training by the clock, the first twenty included
    started: float | None = None  # processor seconds from the process's start until the program has imported PyTorch
    each: tuple[float, ...] = ()  # seconds of each step after the first twenty, by the clock


@dataclass(frozen=True, slots=True)
class Pair:
    """A program without and with watching, one right after the other; ``fast`` with ``--fast`` too, where it was tried."""

    plain: Run
    watched: Run
    fast: Run | None = None


Found = Mapping[str, Sequence[Pair]]


def ways_of(name: str) -> tuple[str, ...]:
    """How a program is run."""
    return ("plain", "watched", "fast") if name == FAST else ("plain", "watched")


def text(found: Found) -> str:
    """For the terminal."""
    return _page(found, aligned)


def markdown(found: Found) -> str:
    """The same in Markdown."""
    return _page(found, markdown_table)


def _page(found: Found, lay_out: Callable[[Rows], str]) -> str:
    parts = [lay_out(rows) for rows in (_steps(found), _limits(found)) if len(rows) > 1]
    return "\n\n".join(parts)


def _steps(found: Found) -> Rows:
    rows = [["", "µs/step", "watched", "more µs", "ratio", "processor", "rounds", "more MB", "said ÷ true"]]
    for name, pairs in found.items():
        if name in PROGRAMS:
            plain, watched = _typical([(pair.plain, pair.watched) for pair in pairs])
            ratios = [(pair.watched.processor or 0.0) / (pair.plain.processor or 1.0) for pair in pairs]
            rows.append(
                [
                    PROGRAMS[name],
                    f"{1e6 * plain:,.0f}",
                    f"{1e6 * watched:,.0f}",
                    f"{1e6 * (watched - plain):,.1f}",
                    f"{watched / plain:.3f}",
                    f"{median(ratios):.2f}",
                    f"{min(ratios):.2f} to {max(ratios):.2f}",
                    f"{median(map(_memory, pairs)):+.0f}",
                    _said(pairs, found.get(START, ())),
                ]
            )
    return rows


def _limits(found: Found) -> Rows:
    rows = [["limit", "measured", "wanted", ""]]
    steps = {name: pairs for name, pairs in found.items() if name in PROGRAMS}
    typical = [_typical([(pair.plain, pair.watched) for pair in pairs]) for pairs in steps.values()]
    tiny = [1e6 * (watched - plain) for plain, watched in typical if plain < _SHORT]
    ratios = [watched / plain for plain, watched in typical if plain >= _SHORT]
    if ratios:
        rows.append(_limit("ratio of longer steps, median of the programs", median(ratios), _MEDIAN_RATIO, "×"))
        rows.append(_limit("ratio of longer steps, worst program", max(ratios), _MOST_RATIO, "×"))
    if tiny:
        rows.append(_limit("steps under 100 µs, worst program", max(tiny), _MOST_MICROSECONDS, " µs"))
    if found.get(START):
        start = median((pair.watched.started or 0.0) - (pair.plain.started or 0.0) for pair in found[START])
        rows.append(_limit("start, over importing torch", start, _MOST_START, " s"))
        whole = median(pair.watched.processor_wall - pair.plain.processor_wall for pair in found[START])
        rows.append(["start and end of a program that trains nothing", f"{short(whole)} s", "", ""])
    if steps:
        memory = max(median(map(_memory, pairs)) for pairs in steps.values())
        rows.append(_limit("memory, worst program", memory, _MOST_MEMORY, " MB"))
    fast = [(pair.plain, pair.fast) for pair in found.get(FAST, ()) if pair.fast is not None]
    if fast:
        steps_of, whole = _typical(fast), median((plain.whole or 0.0) / (quick.whole or 1.0) for plain, quick in fast)
        rows.append(
            _limit("--fast, an epoch after the first steps", steps_of[0] / steps_of[1], _LEAST_FAST, "×", at_least=True)
        )
        rows.append([f"--fast, {PROGRAMS[FAST]} from the first step on", f"{whole:.3f}×", "", ""])
    return rows


def _limit(name: str, value: float, bound: float, unit: str, *, at_least: bool = False) -> list[str]:
    met = value >= bound if at_least else value <= bound
    measured = f"{value:.3f}" if unit == "×" else short(value)
    return [name, measured + unit, f"at {'least' if at_least else 'most'} {bound:g}{unit}", "met" if met else "missed"]


def _typical(pairs: Sequence[tuple[Run, Run]]) -> tuple[float, float]:
    """Seconds of a step in one way and in the other: the mean over the steps of each step's median over the rounds.

    What else runs on the machine slows single steps of single rounds down; what watching adds to a step, it adds in every round.
    """
    one, other = (mean(map(median, zip(*(run.each for run in runs), strict=True))) for runs in zip(*pairs, strict=True))
    return one, other


def _memory(pair: Pair) -> float:
    return pair.watched.peak_mb - pair.plain.peak_mb


def _said(pairs: Sequence[Pair], start: Sequence[Pair]) -> str:
    """What the report says that watching cost, in units of what it cost; the time it takes to start is nobody's step."""
    if not start or any(pair.watched.told is None for pair in pairs):
        return ""
    starting = median(pair.watched.processor_wall - pair.plain.processor_wall for pair in start)
    true = median(pair.watched.processor_wall - pair.plain.processor_wall for pair in pairs) - starting
    said = median(pair.watched.told or 0.0 for pair in pairs)
    return f"{said / true:.2f}" if true > 0 else ""
