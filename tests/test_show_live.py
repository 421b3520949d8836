import io
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from descend.record.events import EpochDone, Event, Message, ParameterNorms, RunEnded, RunStarted, StepsDone
from descend.show.live import Live

RECIPE = {"model": "mlp", "loss": "cross-entropy", "optimizer": "adam", "lr": 0.001, "batch_size": 64, "seed": 0}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width)


def terminal(width: int = 80, height: int = 40) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
        _environ={},
    )


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def started(epochs: int | None = 10, steps: int | None = 10) -> RunStarted:
    environment: dict[str, Any] = {"architecture": "mlp 784 → 10 (7,850 parameters)", "device": "cpu, 1 thread"}
    recipe = RECIPE | {"epochs": epochs}
    return RunStarted("mnist-1", "train", "mnist · 60,000 images", recipe, (), environment, 0, (), epochs, steps)


def epoch(number: int, loss: float, accuracy: float | None = None) -> EpochDone:
    test = {} if accuracy is None else {"test": {"loss": loss, "accuracy": accuracy}}
    return EpochDone(number, number * 10, 0.5 if number else 0.0, {"train": {"loss": loss}, **test})


def steps(first: int, number: int, loss: float = 1.0, count: int = 10) -> StepsDone:
    return StepsDone(first, number, [loss] * count, [0.001] * count, [0.01] * count, [64] * count)


def training(epochs: int) -> Iterator[Event]:
    yield started(epochs)
    yield epoch(0, 2.3051)
    for number in range(1, epochs + 1):
        yield steps((number - 1) * 10 + 1, number)
        yield epoch(number, 2.0 / number)
    yield RunEnded("finished", {})


def test_without_a_terminal_a_plain_line_an_epoch() -> None:
    console = plain()
    live = Live(console)
    for event in (
        started(2),
        epoch(0, 2.3051, 0.0908),
        steps(1, 1),
        epoch(1, 0.341, 0.9462),
        epoch(2, 0.156, 0.9621),
        RunEnded("finished", {}),
    ):
        live(event)
    assert text_of(console) == (
        "mnist · 60,000 images\n"
        "mlp 784 → 10 (7,850 parameters) · cross-entropy · Adam lr 0.001 · batch 64\n"
        "2 epochs · cpu, 1 thread · seed 0\n"
        "\n"
        "before      loss 2.3051   test loss  2.3051   test accuracy  9.08 %\n"
        "epoch 1/2   loss 0.3410   test loss  0.3410   test accuracy 94.62 %   0.50 s\n"
        "epoch 2/2   loss 0.1560   test loss  0.1560   test accuracy 96.21 %   0.50 s\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("epochs", "lines"), [(1, 2), (10, 11), (40, 41), (41, 23), (200, 22), (2000, 22), (12345, 15)]
)
def test_long_trainings_get_about_twenty_lines(epochs: int, lines: int) -> None:
    console = plain()
    live = Live(console)
    for event in training(epochs):
        live(event)
    said = [line for line in text_of(console).splitlines() if line.startswith(("before", "epoch"))]
    assert said[0].startswith("before ")
    assert said[1].split()[1] == f"1/{epochs}"
    assert said[-1].split()[1] == f"{epochs}/{epochs}"
    assert len(said) == lines
    assert len(set(said)) == len(said)


def test_an_interrupted_training_still_says_its_last_epoch() -> None:
    console = plain()
    live = Live(console)
    for event in (
        started(2000),
        epoch(0, 2.0),
        epoch(1, 1.9),
        epoch(2, 1.8),
        epoch(3, 1.7),
        RunEnded("interrupted", {}),
    ):
        live(event)
    assert "epoch    3/2000   loss 1.7000" in text_of(console)
    assert "2/2000" not in text_of(console)


def test_where_the_number_of_epochs_is_not_known() -> None:
    console = plain()
    live = Live(console)
    live(started(None, None))
    for number in range(101):
        live(epoch(number, 1.0))
    live(RunEnded("finished", {}))
    said = [line.split()[1] for line in text_of(console).splitlines() if line.startswith("epoch")]
    assert said[:3] == ["1", "2", "3"]
    assert said[-1] == "100"
    assert len(said) < 50


def test_at_most_four_drawings_a_second() -> None:
    console, clock = terminal(), Clock()
    live = Live(console, clock=clock)
    drawn: list[float] = []
    view = live._view
    live._view = lambda now: (drawn.append(now), view(now))[1]  # type: ignore[method-assign,func-returns-value]
    live(started(1000))
    live(epoch(0, 2.3))
    for number in range(1, 1001):
        clock.now += 0.01
        live(steps((number - 1) * 10 + 1, number))
        live(epoch(number, 1.0 / number))
    live.close()
    assert len(drawn) == pytest.approx(10 * 4, abs=2)
    assert min(later - earlier for earlier, later in itertools.pairwise(drawn)) >= 0.25


def view_of(live: Live, clock: Clock) -> list[str]:
    return [line.plain for line in live._view(clock.now).renderables]  # type: ignore[union-attr]


def test_the_view_while_it_runs() -> None:
    console, clock = terminal(), Clock()
    live = Live(console, classes=10, clock=clock)
    for event in (started(), epoch(0, 2.3051, 0.0908), steps(1, 1, 2.0), epoch(1, 0.341, 0.9462), steps(11, 2, 0.5)):
        live(event)
        clock.now += 1.0
    lines = view_of(live, clock)
    live.close()
    assert lines[:3] == [
        "   epoch     loss   test loss   test accuracy     time",
        "  before   2.3051      2.3051          9.08 %   guessing: ln 10 = 2.3026",
        "       1   0.3410      0.3410         94.62 %   0.50 s",
    ]
    assert lines[4].startswith("  2.0000  ⠉")
    assert lines[9].split() == ["loss", "·", "step", "1", "step", "20"]
    assert lines[-1].lstrip(" ━╸") == "epoch 2 of 10 · 6,400 examples/s · 20 s left"  # 5 s for 20 steps of 100
    assert lines[-1].count("━") + lines[-1].count("╸") > 10


def test_the_time_left_of_a_resumed_run_is_reckoned_from_where_it_went_on() -> None:
    clock = Clock()
    live = Live(terminal(), clock=clock)
    live(started(10, 10))
    live(steps(51, 6))
    clock.now += 2.0
    assert view_of(live, clock)[-1].endswith("epoch 6 of 10 · 6,400 examples/s · 8.0 s left")
    live.close()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("height", [6, 12, 24, 50])
@pytest.mark.parametrize("epochs", [10, 2000, None])
def test_the_view_fits_the_terminal(width: int, height: int, epochs: int | None) -> None:
    clock = Clock()
    live = Live(terminal(width, height), classes=10, clock=clock)
    live(started(epochs, None if epochs is None else 10))
    live(epoch(0, 2.3051))
    for number in range(1, 60):
        live(steps((number - 1) * 10 + 1, number))
        live(epoch(number, 0.1))
    lines = view_of(live, clock)
    live.close()
    assert len(lines) < height
    assert max(len(line) for line in lines) < width


def test_memory_stays_bounded_over_many_epochs_and_steps() -> None:
    clock = Clock()
    live = Live(plain(), clock=clock)
    live(started(100_000, 10))
    for number in range(1, 3000):
        live(steps((number - 1) * 10 + 1, number))
        live(epoch(number, 1.0))
    assert len(live._rows) <= 12
    assert len(live._progress.curve) <= 400


@given(st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=50), min_size=1, max_size=30))
def test_the_curve_keeps_the_mean_of_every_step(chunks: list[list[float]]) -> None:
    live = Live(plain())
    live(started())
    first = 1
    for losses in chunks:
        n = len(losses)
        live(StepsDone(first, 1, losses, [0.1] * n, [0.01] * n, [1] * n))
        first += n
    losses = [loss for chunk in chunks for loss in chunk]
    kept = live._progress.curve
    stride = live._progress._stride
    whole = [sum(losses[at : at + stride]) / stride for at in range(0, len(losses) - stride + 1, stride)]
    assert kept == pytest.approx(whole[: len(kept)])
    assert len(kept) >= len(whole) - 1


def test_losses_that_are_not_numbers_are_drawn_around() -> None:
    clock = Clock()
    live = Live(terminal(), clock=clock)
    live(started())
    live(StepsDone(1, 1, [1.0, 2.0, math.inf, math.nan], [0.1] * 4, [0.0] * 4, [1] * 4))
    assert any("2 of 4 losses are not finite" in line for line in view_of(live, clock))
    live.close()


def cursor_is_back(text: str) -> bool:
    return text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_the_terminal_is_given_back_at_the_end() -> None:
    console, clock = terminal(), Clock()
    with Live(console, clock=clock) as live:
        live(started())
        live(steps(1, 1))
        assert not cursor_is_back(text_of(console))
        live(RunEnded("finished", {}))
        assert cursor_is_back(text_of(console))


def test_the_terminal_is_given_back_after_an_error() -> None:
    console = terminal()

    def fail(live: Callable[[Event], None]) -> None:
        live(started())
        live(steps(1, 1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Live(console) as live:
        fail(live)
    assert cursor_is_back(text_of(console))
    live.close()


def test_a_pause_hands_the_terminal_over_until_training_goes_on() -> None:
    console, clock = terminal(), Clock()
    live = Live(console, clock=clock)
    live(started())
    live(steps(1, 1))
    live(Message(10, "pause", "stopped inside step 10"))
    assert cursor_is_back(text_of(console))
    assert "step 10: stopped inside step 10" in text_of(console)
    clock.now += 60
    live(steps(11, 2))
    assert not cursor_is_back(text_of(console))
    live.close()


def test_messages_are_printed_for_good_and_harmless() -> None:
    console = plain()
    live = Live(console)
    live(started())
    live(Message(20, "learning rate", "lowered to 0.0001\x1b[2J"))
    assert "  step 20: lowered to 0.0001\N{REPLACEMENT CHARACTER}[2J\n" in text_of(console)


def test_events_for_the_record_alone_print_nothing() -> None:
    console = plain()
    Live(console)(ParameterNorms(1, (("w", 1.0, 1.0, 1.0),)))
    assert text_of(console) == ""


def test_without_an_architecture_the_parameters_are_counted() -> None:
    console = plain()
    event = RunStarted("r", "train", "mnist", RECIPE, (), {}, 0, (("w", (10, 784)), ("b", (10,))), 1, 1)
    Live(console)(event)
    assert "mlp (7,850 parameters) · cross-entropy" in text_of(console)
