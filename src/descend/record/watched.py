"""How the events of a watched script become rows. What a script can do without end, printing and reading, is kept within bounds."""

import sqlite3
from collections import deque
from typing import Generic, TypeVar, assert_never

from descend.record.events import (
    BatchSeen,
    Evaluation,
    Fact,
    ModuleCalls,
    Operations,
    ParametersSeen,
    Printed,
    SourcesSeen,
    Unseen,
    ValueRead,
)
from descend.record.values import to_blob, to_json, to_text, to_time

WatchedEvent = (
    ParametersSeen
    | BatchSeen
    | ModuleCalls
    | Evaluation
    | Printed
    | ValueRead
    | Operations
    | Fact
    | SourcesSeen
    | Unseen
)

ROWS_KEPT = 10_000  # of printed lines, and of reads: half of them from the beginning, half from the end
CHARACTERS_KEPT = 2_000  # of one printed line

_HALF = ROWS_KEPT // 2

_Kind = TypeVar("_Kind")


class WatchedTables:
    """Writes the events of a watched script into an open record; whoever calls it begins and commits the transactions.

    Printed lines and reads are gathered until :meth:`finish`, as a script may make thousands of them between two commits.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._printed = _Ends[Printed]()
        self._reads = _Ends[ValueRead]()
        self._cut = False  # whether the record says already that long lines are cut

    def write(self, event: WatchedEvent, moment: float) -> None:
        """Write one event, which came at ``moment`` (seconds since 1970)."""
        match event:
            case ParametersSeen():
                self._connection.executemany(
                    "INSERT INTO parameters (step, name, shape, how) VALUES (?, ?, ?, ?)",
                    ((event.step, to_text(name), to_json(shape), how) for name, shape, how in event.rows),
                )
            case BatchSeen():
                self._write_batch(event)
            case ModuleCalls():
                self._connection.executemany(
                    "INSERT INTO calls (step, module, class_name, training, times) VALUES (?, ?, ?, ?, ?)",
                    (
                        (event.step, to_text(module), to_text(kind), training, times)
                        for module, kind, training, times in event.rows
                    ),
                )
            case Evaluation():
                self._write_evaluation(event)
            case Printed():
                self._add_printed(event, moment)
            case ValueRead():
                self._add_read(event, moment)
            case Operations():
                self._write_operations(event)
            case Fact():
                file, line = (None, None) if event.place is None else (to_text(event.place[0]), event.place[1])
                self._connection.execute(
                    "INSERT INTO facts (step, kind, detail, file, line) VALUES (?, ?, ?, ?, ?)",
                    (event.step, to_text(event.kind), to_json(event.values), file, line),
                )
            case SourcesSeen():
                self._connection.executemany(
                    "INSERT OR IGNORE INTO sources (file, text) VALUES (?, ?)",  # the first is the one that was run
                    ((to_text(file), to_text(text)) for file, text in event.sources.items()),
                )
            case Unseen():
                self._write_unseen(event)
            case _:
                assert_never(event)

    def finish(self) -> None:
        """Write what was gathered; to be called before a commit."""
        if self._printed.gathered:
            self._finish_printed()
        if self._reads.gathered:
            self._finish_reads()

    def _write_batch(self, event: BatchSeen) -> None:
        self._connection.execute(
            "INSERT INTO batches (step, evaluation, name, shape, dtype, device, fingerprints)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event.step,
                event.evaluation,
                to_text(event.name),
                to_json(event.shape),
                event.dtype,
                event.device,
                to_blob(event.fingerprints),
            ),
        )

    def _write_evaluation(self, event: Evaluation) -> None:
        file, line = event.place
        self._connection.execute(
            "INSERT OR REPLACE INTO evaluations (number, step, passes, seconds, gradients, training_mode, file, line)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.number,
                event.step,
                event.passes,
                event.seconds,
                event.gradients,
                to_json(event.training_mode),
                to_text(file),
                line,
            ),
        )

    def _add_printed(self, event: Printed, moment: float) -> None:
        self._printed.add(event)
        if len(event.text) > CHARACTERS_KEPT and not self._cut:
            self._cut = True
            text = f"a printed line of {len(event.text):,} characters: the record keeps the first {CHARACTERS_KEPT:,} of such lines"
            self._say(event.step, text, moment)
        if self._printed.count == ROWS_KEPT + 1:
            self._say(event.step, _bounded("printed lines"), moment)

    def _add_read(self, event: ValueRead, moment: float) -> None:
        self._reads.add(event)
        if self._reads.count == ROWS_KEPT + 1:
            self._say(event.step, _bounded("values read from tensors"), moment)

    def _finish_printed(self) -> None:
        self._connection.execute("DELETE FROM printed WHERE number > ? AND number <= ?", self._printed.middle)
        self._connection.executemany(
            "INSERT INTO printed (number, step, text, characters, file, line) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    event.step,
                    to_text(event.text[:CHARACTERS_KEPT]),
                    len(event.text),
                    to_text(event.place[0]),
                    event.place[1],
                )
                for number, event in self._printed.take()
            ),
        )

    def _finish_reads(self) -> None:
        self._connection.execute("DELETE FROM reads WHERE number > ? AND number <= ?", self._reads.middle)
        # float: an integer from a tensor may need more than the 63 bits that SQLite has for integers.
        self._connection.executemany(
            "INSERT INTO reads (number, step, how, value, tensor, file, line) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    event.step,
                    event.how,
                    float(event.value),
                    to_text(event.tensor),
                    to_text(event.place[0]),
                    event.place[1],
                )
                for number, event in self._reads.take()
            ),
        )

    def _write_operations(self, event: Operations) -> None:
        self._connection.execute("DELETE FROM operations WHERE step = ?", (event.step,))
        self._connection.executemany(
            "INSERT INTO operations (step, number, operation) VALUES (?, ?, ?)",
            ((event.step, number, to_json(operation)) for number, operation in enumerate(event.rows)),
        )

    def _write_unseen(self, event: Unseen) -> None:
        file, line = (None, None) if event.place is None else (to_text(event.place[0]), event.place[1])
        # Told at every step by whoever meets it at every step, and worth one row.
        self._connection.execute(
            "INSERT INTO unseen (what, why, file, line) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
            " (SELECT * FROM unseen WHERE what = ?1 AND why = ?2 AND file IS ?3 AND line IS ?4)",
            (to_text(event.what), to_text(event.why), file, line),
        )

    def _say(self, step: int, text: str, moment: float) -> None:
        self._connection.execute(
            "INSERT INTO messages (step, kind, text, time) VALUES (?, 'record', ?, ?)", (step, text, to_time(moment))
        )


class _Ends(Generic[_Kind]):
    """Numbers what is added, and hands out what is new of the first and of the last ``_HALF``."""

    def __init__(self) -> None:
        self.count = 0  # of everything that was ever added
        self._first: list[tuple[int, _Kind]] = []
        self._last: deque[tuple[int, _Kind]] = deque(maxlen=_HALF)

    def add(self, one: _Kind) -> None:
        self.count += 1
        (self._first if self.count <= _HALF else self._last).append((self.count, one))

    @property
    def gathered(self) -> bool:
        """Whether something was added since the last :meth:`take`."""
        return bool(self._first or self._last)

    @property
    def middle(self) -> tuple[int, int]:
        """The numbers that are neither among the first nor among the last: above the one, up to the other."""
        return _HALF, self.count - _HALF

    def take(self) -> list[tuple[int, _Kind]]:
        """What is to be kept of what was added since the last call, with its numbers."""
        new = [*self._first, *self._last]
        self._first.clear()
        self._last.clear()
        return new


def _bounded(what: str) -> str:
    return f"more than {ROWS_KEPT:,} {what}: the record keeps the first {_HALF:,} and the last {_HALF:,}"
