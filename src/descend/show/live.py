"""A training while it runs: one live view in a terminal, plain lines where there is none.

``Live`` is a listener of the one event interface. It draws only from within the call that brings it an event, at most four times
a second: no thread, nothing to wait for, and nothing for the training to do but call it.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.text import Text

from descend.record.events import EpochDone, Event, Message, RunEnded, RunStarted, StepsDone
from descend.show import numbers
from descend.show.colours import ACCENT, MUTED, WARNING
from descend.show.curve import plot
from descend.show.epochs import EpochRow, epoch_table, round_step, row_of_event, unseen_part
from descend.show.header import header, parameter_count
from descend.show.layout import INDENT, WIDEST, Cell, facts, look_of, printable, prose, put, safe
from descend.show.metrics import name_of, value_of, written

_SECONDS_BETWEEN_DRAWINGS = 0.25
_MOST_ROWS = 12
_EPOCHS_WITH_A_LINE_EACH = 40
_MOST_LINES = 20
_CURVE_HEIGHT = 5
_CURVE_WIDTH = 78
_MOST_POINTS = 400
_LEAST_LEFT = 0.5  # seconds; less is not worth saying


class Live:
    """Shows one run on ``console`` from its events.

    classes: number of classes, where the task is to tell classes apart (the loss of guessing is then said beside the untrained
    model). ``close`` gives the terminal back; it may be called more than once, and ``with`` does it.
    """

    def __init__(
        self, console: Console, *, classes: int | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._console, self._classes, self._clock = console, classes, clock
        self._terminal = console.is_terminal and not console.is_dumb_terminal
        self._started: RunStarted | None = None
        self._rows: list[EpochRow] = []
        self._part: str | None = None
        self._progress = _Progress()
        self._screen: RichLive | None = None
        self._drawn_at = float("-inf")
        self._said_epoch = -1
        self._loss_width = 0

    def __call__(self, event: Event) -> None:
        """Take one event; draw if it is time to."""
        match event:
            case RunStarted():
                self._start(event)
            case StepsDone():
                self._progress.add(event)
                self._draw()
            case EpochDone():
                self._epoch(event)
            case Message():
                self._message(event)
            case RunEnded():
                self._end()
            case _:
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live view off the terminal; what was printed for good stays."""
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    def _start(self, event: RunStarted) -> None:
        self._started = event
        self._progress.begin(event, self._clock())
        width = min(self._console.width, WIDEST)
        put(self._console, *_header(event, width), "")

    def _epoch(self, event: EpochDone) -> None:
        row = row_of_event(event)
        self._rows = [known for known in self._rows if self._is_kept(known.epoch)] + [row]
        self._part = unseen_part(event.metrics) or self._part
        if self._terminal:
            self._draw()
        elif self._has_a_line(row.epoch):
            self._say(row)

    def _message(self, event: Message) -> None:
        """A line for good, above the live view; a pause hands the terminal over until the next event."""
        if event.kind == "pause":
            self.close()
        put(
            self._console,
            *prose(f"step {event.step:,}: {safe(event.text)}", self._console.width, indent=INDENT, style=WARNING),
        )

    def _end(self) -> None:
        self.close()
        if not self._terminal and self._rows and self._rows[-1].epoch != self._said_epoch:
            self._say(self._rows[-1])
        if not self._terminal:
            put(self._console, "")

    def _is_kept(self, epoch: int) -> bool:
        """Whether an epoch stays in view when newer ones come: round numbers, few enough for a screen."""
        planned = self._started.epochs if self._started else None
        if epoch <= 1 or (planned is not None and planned < _MOST_ROWS):
            return True
        return epoch % round_step(planned or self._rows[-1].epoch, _MOST_ROWS - 2) == 0

    def _has_a_line(self, epoch: int) -> bool:
        """Every epoch of a short training; of a longer one the first, the last and about twenty round numbers."""
        planned = self._started.epochs if self._started else None
        if epoch <= 1 or epoch == planned:
            return True
        if planned is not None:
            return planned <= _EPOCHS_WITH_A_LINE_EACH or epoch % round_step(planned, _MOST_LINES) == 0
        return epoch <= _MOST_LINES or epoch % round_step(epoch, _MOST_LINES) == 0

    def _say(self, row: EpochRow) -> None:
        self._said_epoch = row.epoch
        planned = self._started.epochs if self._started else None
        of_planned = f"/{planned}" if planned is not None else ""
        digits = 2 * len(of_planned) - 1 if of_planned else 4
        head = "before".ljust(6 + digits) if row.epoch == 0 else f"epoch {f'{row.epoch}{of_planned}':>{digits}}"
        loss = numbers.loss(row.loss)
        self._loss_width = max(self._loss_width, len(loss))
        parts = [head, f"loss {loss:>{self._loss_width}}"]
        for name in ("loss", "accuracy", "rmse", "r2"):
            value = value_of(row.unseen, name)
            if value is not None:
                parts.append(f"{self._part} {name_of(name)} {written(name, value):>7}")
        if row.seconds is not None:
            parts.append(numbers.seconds(row.seconds))
        put(self._console, "   ".join(parts))

    def _draw(self) -> None:
        now = self._clock()
        if not self._terminal or self._started is None or now - self._drawn_at < _SECONDS_BETWEEN_DRAWINGS:
            return
        self._drawn_at = now
        if self._screen is None:
            self._screen = RichLive(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self._screen.start()
        self._screen.update(self._view(now), refresh=True)

    def _view(self, now: float) -> Group:
        """Table, curve and progress, no higher than the terminal."""
        width, height = min(self._console.width - 1, WIDEST), self._console.height
        curve_height = _CURVE_HEIGHT if height >= 24 else 0
        room = height - 4 - (curve_height + 3 if curve_height else 0)
        lines: list[Text] = []
        if self._rows and room >= 3:
            lines += [*epoch_table(self._rows[1 - room :], self._part, width=width, outputs=self._classes), Text()]
        if curve_height and len(self._progress.curve) >= 2:
            ends = ("loss · step 1", f"step {self._progress.steps:,}")
            drawn = plot(
                self._progress.curve, min(width, _CURVE_WIDTH), curve_height, ends=ends, look=look_of(self._console)
            )
            lines += [*drawn, Text()]
        lines += self._progress.lines(now, width)
        drawn_lines = [printable(line, ascii_only=self._console.options.ascii_only) for line in lines]
        for line in drawn_lines:
            line.no_wrap, line.overflow = True, "crop"
        return Group(*drawn_lines)


class _Progress:
    """How far the training is, how fast it goes, and its loss so far in a bounded number of points."""

    def __init__(self) -> None:
        self.steps, self.epoch = 0, 0
        self._first: int | None = None
        self.curve: list[float] = []
        self._stride, self._waiting = 1, _Mean()
        self._planned: int | None = None
        self._epochs: int | None = None
        self._began = 0.0
        self._recent: deque[tuple[int, float]] = deque(maxlen=8)

    def begin(self, event: RunStarted, now: float) -> None:
        self._began, self._epochs = now, event.epochs
        if event.epochs is not None and event.steps_per_epoch is not None:
            self._planned = event.epochs * event.steps_per_epoch

    def add(self, event: StepsDone) -> None:
        if self._first is None:
            self._first = event.first  # above 1 in a run that was resumed
        self.steps, self.epoch = event.first + len(event.losses) - 1, event.epoch
        self._recent.append((sum(event.rows), sum(event.seconds)))
        for loss in event.losses:
            self._waiting.add(loss)
            if self._waiting.count >= self._stride:
                self.curve.append(self._waiting.take())
        if len(self.curve) > _MOST_POINTS:
            pairs = zip(self.curve[::2], self.curve[1::2], strict=False)
            self.curve = [(first + second) / 2 for first, second in pairs]
            self._stride *= 2

    def lines(self, now: float, width: int) -> list[Text]:
        """The bar, and beside it or below it the epoch, the speed and the time left."""
        parts: list[Cell] = []
        current = max(self.epoch, 1)
        parts.append(f"epoch {current:,} of {self._epochs:,}" if self._epochs is not None else f"epoch {current:,}")
        examples, seconds = sum(rows for rows, _ in self._recent), sum(seconds for _, seconds in self._recent)
        if seconds > 0:
            parts.append(f"{numbers.rate(examples / seconds)} examples/s")
        left = self._left(now)
        if left is not None:
            parts.append(f"{numbers.seconds(left)} left")
        said = facts(parts, width, indent=INDENT)
        if self._planned is None or not self._planned:
            return said
        share = min(self.steps / self._planned, 1.0)
        length = width - len(INDENT) - 2 - sum(line.cell_len for line in said)
        if len(said) == 1 and length >= 10:
            return [Text(INDENT).append_text(_bar(share, min(length, 40))).append_text(said[0])]
        return [Text(INDENT).append_text(_bar(share, max(1, min(width - len(INDENT), 40)))), *said]

    def _left(self, now: float) -> float | None:
        if self._planned is None or self._first is None or now <= self._began:
            return None
        left = (now - self._began) / (self.steps - self._first + 1) * (self._planned - self.steps)
        return left if left >= _LEAST_LEFT else None


class _Mean:
    """A running mean that starts again each time it is taken."""

    def __init__(self) -> None:
        self.count, self._sum = 0, 0.0

    def add(self, value: float) -> None:
        self.count, self._sum = self.count + 1, self._sum + value

    def take(self) -> float:
        mean = self._sum / self.count
        self.count, self._sum = 0, 0.0
        return mean


def _bar(share: float, width: int) -> Text:
    halves = round(share * width * 2)
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return Text(done, style=ACCENT).append("━" * (width - len(done)), style=MUTED)


def _header(event: RunStarted, width: int) -> list[Text]:
    environment: Mapping[str, Any] = event.environment
    shapes = [shape for _, shape in event.parameters]
    model = str(event.recipe.get("model") or "")
    counted = f"{model} ({numbers.plural(parameter_count(shapes), 'parameter')})" if shapes else model
    architecture = str(environment.get("architecture") or counted)
    device = environment.get("device")
    return header(event.title, event.recipe, event.choices, width, architecture=architecture, device=str(device or ""))
