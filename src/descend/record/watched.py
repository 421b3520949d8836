"""How the events of a watched script become rows. What a script can do without end, printing and reading, is kept within bounds."""

import sqlite3
from typing import assert_never

from descend.record.events import (
    BatchSeen,
    Evaluation,
    ModuleCalls,
    Operations,
    ParametersSeen,
    Printed,
    Unseen,
    ValueRead,
)
from descend.record.values import to_blob, to_json, to_text, to_time

WatchedEvent = ParametersSeen | BatchSeen | ModuleCalls | Evaluation | Printed | ValueRead | Operations | Unseen

LINES_KEPT = 10_000  # printed; half of them from the beginning, half from the end
READS_KEPT = 10_000  # likewise
CHARACTERS_KEPT = 2_000  # of one printed line


class WatchedTables:
    """Writes the events of a watched script into an open record; whoever calls it begins and commits the transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._printed = 0
        self._reads = 0
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
                self._write_printed(event, moment)
            case ValueRead():
                self._write_read(event, moment)
            case Operations():
                self._write_operations(event)
            case Unseen():
                self._write_unseen(event)
            case _:
                assert_never(event)

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

    def _write_printed(self, event: Printed, moment: float) -> None:
        self._printed += 1
        characters = len(event.text)
        file, line = event.place
        self._connection.execute(
            "INSERT INTO printed (number, step, text, characters, file, line) VALUES (?, ?, ?, ?, ?, ?)",
            (self._printed, event.step, to_text(event.text[:CHARACTERS_KEPT]), characters, to_text(file), line),
        )
        if characters > CHARACTERS_KEPT and not self._cut:
            self._cut = True
            text = f"a printed line of {characters:,} characters: the record keeps the first {CHARACTERS_KEPT:,} of such lines"
            self._say(event.step, text, moment)
        if self._printed > LINES_KEPT:
            self._connection.execute("DELETE FROM printed WHERE number = ?", (self._printed - LINES_KEPT // 2,))
        if self._printed == LINES_KEPT + 1:
            self._say(event.step, _bounded("printed lines", LINES_KEPT), moment)

    def _write_read(self, event: ValueRead, moment: float) -> None:
        self._reads += 1
        file, line = event.place
        # float: an integer from a tensor may need more than the 63 bits that SQLite has for integers.
        self._connection.execute(
            "INSERT INTO reads (number, step, how, value, tensor, file, line) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._reads, event.step, event.how, float(event.value), to_text(event.tensor), to_text(file), line),
        )
        if self._reads > READS_KEPT:
            self._connection.execute("DELETE FROM reads WHERE number = ?", (self._reads - READS_KEPT // 2,))
        if self._reads == READS_KEPT + 1:
            self._say(event.step, _bounded("values read from tensors", READS_KEPT), moment)

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


def _bounded(what: str, kept: int) -> str:
    return f"more than {kept:,} {what}: the record keeps the first {kept // 2:,} and the last {kept // 2:,}"
