"""Opens a record to read it: a finished one, one that is being written, or one from a stranger."""

import hashlib
from typing import TYPE_CHECKING, Any

from descend.errors import RecordError
from descend.record import process
from descend.record.events import PHASES
from descend.record.opening import DAMAGED, RecordFile
from descend.record.rows import (
    BatchRow,
    CallRow,
    EpochRow,
    EvaluationRow,
    FactRow,
    MessageRow,
    NormRow,
    ParameterRow,
    PhaseRow,
    PrintedRow,
    ReadRow,
    RunInfo,
    SnapshotRow,
    Steps,
    UnseenRow,
)
from descend.record.schema import TENSORS_FOLDER
from descend.record.tensors import check_fit, unpack, unpack_arrays
from descend.record.values import from_blob, from_json, from_time, to_number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Reader(RecordFile):
    """Reads the record of a run, given the run folder or its ``record.sqlite``; also while the run goes on.

    The file is opened read-only, and nothing in it is run or trusted. Each method asks the file anew, so a running training
    shows its newest steps, at most half a second old. Raises :class:`RecordError` when there is no record, when it is damaged, when
    it is something else, and when a newer descend wrote it.
    """

    @property
    def info(self) -> RunInfo:
        """The run as a whole: what was trained, with what, and how it ended."""
        name = self.folder.resolve().name
        with self._understanding():
            rows = self._rows("SELECT * FROM run")
            if not rows:  # the first event is not in yet, or never came
                created = self._rows("SELECT value FROM meta WHERE key = 'created'")
                return RunInfo(name, self.folder, started=from_time(created[0][0]), status=self._status(None))
            row = rows[0]
            return RunInfo(
                name=name,
                path=self.folder,
                kind=str(row["kind"]),
                title=str(row["title"]),
                recipe=_object(row["recipe"]),
                choices=[dict(choice) for choice in from_json(row["choices"])],
                environment=_object(row["environment"]),
                seed=_whole(row["seed"]),
                parameters=[(str(name), tuple(map(int, shape))) for name, shape in from_json(row["parameters"])],
                epochs=_whole(row["epochs"]),
                steps_per_epoch=_whole(row["steps_per_epoch"]),
                started=from_time(row["started"]),
                ended=None if row["ended"] is None else from_time(row["ended"]),
                status=self._status(row["status"]),
                report=None if row["report"] is None else _object(row["report"]),
            )

    @property
    def status(self) -> str:
        """What the run ended with; "running" while it goes on, "died" when its process is gone without a word."""
        with self._understanding():
            rows = self._rows("SELECT status FROM run")
            return self._status(rows[0][0] if rows else None)

    def steps(self, after: int = 0) -> Steps:
        """Every step later than step ``after``, in order."""
        with self._understanding():
            rows = self._rows(
                "SELECT step, epoch, loss, rate, seconds, rows FROM steps WHERE step > ? ORDER BY step", after
            )
            step, epoch, loss, rate, seconds, examples = zip(*rows, strict=True) if rows else ((),) * 6
            return Steps(
                step=list(map(int, step)),
                epoch=list(map(int, epoch)),
                loss=list(map(to_number, loss)),
                rate=list(map(to_number, rate)),
                seconds=list(map(to_number, seconds)),
                rows=list(map(int, examples)),
            )

    def phases(self) -> list[PhaseRow]:
        """Where the time of sampled steps went, in the order of the steps and of the phases in a step."""
        with self._understanding():
            rows = [
                PhaseRow(int(step), str(phase), to_number(seconds), file, line)
                for step, phase, seconds, file, line in self._rows(
                    "SELECT step, phase, seconds, file, line FROM phases"
                )
            ]
        return sorted(rows, key=lambda row: (row.step, _place_in_step(row.phase), row.phase))

    def norms(self, parameter: str | None = None) -> list[NormRow]:
        """Norms of one parameter, or of all, by step; within a step in the order the model has them, or the script used them."""
        names = [name for name, _ in self.info.parameters] + [row.name for row in self.parameters()]
        order = {name: place for place, name in enumerate(dict.fromkeys(names))}
        with self._understanding():
            rows = [
                NormRow(int(step), str(name), to_number(value), to_number(gradient), to_number(change))
                for step, name, value, gradient, change in self._rows(
                    "SELECT step, parameter, value, gradient, change FROM norms WHERE ?1 IS NULL OR parameter = ?1",
                    parameter,
                )
            ]
        return sorted(rows, key=lambda row: (row.step, order.get(row.parameter, len(order)), row.parameter))

    def epochs(self) -> list[EpochRow]:
        """Every epoch with its metrics, from epoch 0, the untrained model."""
        with self._understanding():
            return [
                EpochRow(int(epoch), int(step), to_number(seconds), _metrics(metrics))
                for epoch, step, seconds, metrics in self._rows(
                    "SELECT epoch, step, seconds, metrics FROM epochs ORDER BY epoch"
                )
            ]

    def snapshots(self) -> list[SnapshotRow]:
        """The steps that were kept in full."""
        with self._understanding():
            return [
                SnapshotRow(int(step), int(epoch), str(file), int(size), str(digest), str(note))
                for step, epoch, file, size, digest, note in self._rows(
                    "SELECT step, epoch, file, bytes, sha256, note FROM snapshots ORDER BY step"
                )
            ]

    def tensors(self, step: int) -> dict[str, "Tensor"]:
        """The tensors of a step that was kept in full, by name (see :class:`descend.record.events.Snapshot`).

        The file is compared with the size and the SHA-256 that the record holds. Raises :class:`RecordError` when the step was
        not kept (it names the nearest that were), or when the file is missing or not the one that was written.
        """
        data = self._bytes_of(step)
        with self._understanding():
            found = unpack(data)
            check_fit({name: tuple(tensor.shape) for name, tensor in found.items()})
            return found

    def arrays(self, step: int) -> dict[str, "NDArray[Any]"]:
        """The same as NumPy arrays, without importing PyTorch; bfloat16, which NumPy lacks, as float32."""
        data = self._bytes_of(step)
        with self._understanding():
            arrays = unpack_arrays(data)
            check_fit({name: array.shape for name, array in arrays.items()})
            return arrays

    def _bytes_of(self, step: int) -> bytes:
        snapshots = self.snapshots()
        for snapshot in snapshots:
            if snapshot.step == step:
                return self._load(snapshot)
        if not snapshots:
            raise RecordError(f"step {step} was not kept: this run has no snapshots", where=str(self.folder))
        raise RecordError(
            f"step {step} was not kept in full",
            where=str(self.folder),
            help=_nearest(step, [snapshot.step for snapshot in snapshots]),
        )

    def messages(self) -> list[MessageRow]:
        """What was worth a line, in the order it came."""
        with self._understanding():
            return [
                MessageRow(int(step), str(kind), str(text), from_time(time))
                for step, kind, text, time in self._rows("SELECT step, kind, text, time FROM messages ORDER BY id")
            ]

    def sources(self) -> dict[str, str]:
        """The text of every file whose lines are referred to, by its name."""
        with self._understanding():
            return {str(file): str(text) for file, text in self._rows("SELECT file, text FROM sources ORDER BY file")}

    def parameters(self) -> list[ParameterRow]:
        """Parameters of a watched script, in the order it first used them; a name is there again for a new model."""
        with self._understanding():
            return [
                ParameterRow(int(step), str(name), _shape(shape), str(how))
                for step, name, shape, how in self._rows_if_any(
                    "parameters", "SELECT step, name, shape, how FROM parameters ORDER BY id"
                )
            ]

    def batches(self) -> list[BatchRow]:
        """Tensors that sampled steps and evaluations of a watched script began with, in the order they came."""
        with self._understanding():
            return [
                BatchRow(
                    step=int(row["step"]),
                    evaluation=int(row["evaluation"]),
                    name=str(row["name"]),
                    shape=_shape(row["shape"]),
                    dtype=str(row["dtype"]),
                    device=str(row["device"]),
                    fingerprints=from_blob(row["fingerprints"]),
                )
                for row in self._rows_if_any("batches", "SELECT * FROM batches ORDER BY id")
            ]

    def calls(self) -> list[CallRow]:
        """Modules that were called in sampled steps of a watched script, in the order they came."""
        with self._understanding():
            return [
                CallRow(int(step), str(module), str(class_name), bool(training), int(times))
                for step, module, class_name, training, times in self._rows_if_any(
                    "calls", "SELECT step, module, class_name, training, times FROM calls ORDER BY id"
                )
            ]

    def evaluations(self) -> list[EvaluationRow]:
        """Forward passes of a watched script that no backward followed, by number."""
        with self._understanding():
            return [
                EvaluationRow(
                    number=int(row["number"]),
                    step=int(row["step"]),
                    passes=int(row["passes"]),
                    seconds=to_number(row["seconds"]),
                    gradients=bool(row["gradients"]),
                    training_mode=tuple(map(str, from_json(row["training_mode"]))),
                    file=row["file"],
                    line=_whole(row["line"]),
                )
                for row in self._rows_if_any("evaluations", "SELECT * FROM evaluations ORDER BY number")
            ]

    def printed(self) -> list[PrintedRow]:
        """Lines that a watched script printed; of more than 10,000 the first 5,000 and the last 5,000."""
        with self._understanding():
            return [
                PrintedRow(int(number), int(step), str(text), int(characters), file, _whole(line))
                for number, step, text, characters, file, line in self._rows_if_any(
                    "printed", "SELECT number, step, text, characters, file, line FROM printed ORDER BY number"
                )
            ]

    def reads(self) -> list[ReadRow]:
        """Numbers that a watched script took out of tensors; of more than 10,000 the first 5,000 and the last 5,000."""
        with self._understanding():
            return [
                ReadRow(int(number), int(step), str(how), to_number(value), str(tensor), file, _whole(line))
                for number, step, how, value, tensor, file, line in self._rows_if_any(
                    "reads", "SELECT number, step, how, value, tensor, file, line FROM reads ORDER BY number"
                )
            ]

    def operation_steps(self) -> list[int]:
        """The steps whose operations were kept."""
        with self._understanding():
            rows = self._rows_if_any("operations", "SELECT DISTINCT step FROM operations ORDER BY step")
            return [int(step) for (step,) in rows]

    def operations(self, step: int) -> list[dict[str, Any]]:
        """Every operation of one step, in order (see :class:`descend.record.events.Operations`); None among values is NaN.

        Raises :class:`RecordError` when they were not kept; it names the nearest steps whose operations were.
        """
        with self._understanding():
            rows = self._rows_if_any(
                "operations", "SELECT operation FROM operations WHERE step = ? ORDER BY number", step
            )
            if rows:
                return [_object(operation) for (operation,) in rows]
        if kept := self.operation_steps():
            raise RecordError(
                f"the operations of step {step} were not kept", where=str(self.folder), help=_nearest(step, kept)
            )
        raise RecordError(
            f"the operations of step {step} were not kept: this run has none of any step", where=str(self.folder)
        )

    def facts(self, kind: str | None = None) -> list[FactRow]:
        """What was measured for the checks, of one kind or of all, in the order it came."""
        with self._understanding():
            return [
                FactRow(int(step), str(kind), _object(detail), file, _whole(line))
                for step, kind, detail, file, line in self._rows_if_any(
                    "facts",
                    "SELECT step, kind, detail, file, line FROM facts WHERE ?1 IS NULL OR kind = ?1 ORDER BY id",
                    kind,
                )
            ]

    def unseen(self) -> list[UnseenRow]:
        """What could not be watched, and why, in the order it was noticed."""
        with self._understanding():
            return [
                UnseenRow(str(what), str(why), file, _whole(line))
                for what, why, file, line in self._rows_if_any(
                    "unseen", "SELECT what, why, file, line FROM unseen ORDER BY id"
                )
            ]

    def _status(self, status: str | None) -> str:
        if status is not None:
            return str(status)
        marks = self._rows("SELECT value FROM meta WHERE key = ?", process.KEY)
        return "running" if marks and process.may_live(str(marks[0][0])) else "died"

    def _load(self, snapshot: SnapshotRow) -> bytes:
        path = self.folder / snapshot.file
        with self._understanding():
            inside = path.resolve().parent == self.folder.resolve() / TENSORS_FOLDER
        if not inside:  # the name comes from the record, and a record may come from a stranger
            raise RecordError(
                f"the tensors of step {snapshot.step} are said to lie outside the run folder: {snapshot.file}",
                where=str(self.path),
                help="do not trust this record",
            )
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size == snapshot.bytes else b""
        except OSError as error:
            raise RecordError(
                f"the tensors of step {snapshot.step} cannot be read: {error.strerror}",
                where=str(path),
                help=f"copy the whole run folder, with {TENSORS_FOLDER}/ in it",
            ) from error
        if hashlib.sha256(data).hexdigest() != snapshot.sha256:
            raise RecordError(
                f"the tensors of step {snapshot.step} are not the ones that were written: the file has {size:,} bytes and"
                f" another checksum than the {snapshot.bytes:,} bytes in the record",
                where=str(path),
                help=DAMAGED,
            )
        return data


def _nearest(step: int, kept: list[int]) -> str:
    before = [number for number in kept if number < step][-1:]
    beyond = [number for number in kept if number > step][:1]
    nearest = " and ".join(str(number) for number in before + beyond)
    return f"the nearest steps kept are {nearest}" if before and beyond else f"the nearest step kept is {nearest}"


def _place_in_step(phase: str) -> int:
    return PHASES.index(phase) if phase in PHASES else len(PHASES)


def _whole(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(map(int, from_json(text)))


def _object(text: str) -> dict[str, Any]:
    value = from_json(text)
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object was expected, not {text[:40]}")
    return value


def _metrics(text: str) -> dict[str, dict[str, float]]:
    return {part: {name: to_number(value) for name, value in values.items()} for part, values in _object(text).items()}
