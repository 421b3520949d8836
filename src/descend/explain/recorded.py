"""What the record holds of one step: its operations, its tensors, how it was updated. For watched scripts and ``train`` runs alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from descend.errors import RecordError
from descend.explain.by_hand import ByHand, by_hand
from descend.models.architecture import KINDS
from descend.record.events import Event, Operations
from descend.record.graph import StepGraph, operation_from
from descend.record.reader import Reader
from descend.record.rows import RunInfo

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How parameters were updated. ``kind`` is the name of the class, "" for an update by hand, UNKNOWN where that is not recorded."""

    kind: str
    settings: Mapping[str, Any]  # lr, momentum, betas …
    parameters: tuple[str, ...] = ()  # that it holds; empty where it holds all


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One step that was kept in full."""

    info: RunInfo
    step: int
    graph: StepGraph
    tensors: Mapping[str, Tensor]
    optimizers: tuple[Optimizer, ...]
    lr: float
    happened: tuple[Mapping[str, Any], ...] = ()  # in a watched script: zero, backward, clip, update
    sources: Mapping[str, str] = field(default_factory=dict)
    by_hand: ByHand | None = None  # where no backward pass computed the gradients
    cut: str = (
        ""  # "of the batch, the first 10 of 90 rows": gradients are of all rows, and operations of those that were kept
    )

    @property
    def parameters(self) -> list[str]:
        """Parameters whose gradients are there, in the order of the model."""
        names = [name for name, _ in self.info.parameters]
        names += [each for one in self.graph for each in one.inputs if isinstance(each, str)]
        found = [name.removeprefix("before.") for name in self.tensors if name.startswith("before.")]
        return sorted(found, key=lambda name: names.index(name) if name in names else len(names))

    def optimizer_of(self, parameter: str) -> Optimizer:
        """The one that updated a parameter."""
        holding = [each for each in self.optimizers if parameter in each.parameters]
        return (holding or [each for each in self.optimizers if not each.parameters] or [Optimizer("", {})])[0]

    def settings_of(self, parameter: str) -> dict[str, Any]:
        """What the parameter was updated with: the learning rate of this step, where its group has the first one's."""
        settings = dict(self.optimizer_of(parameter).settings)
        derived = self.by_hand.gradients.get(parameter) if self.by_hand is not None else None
        if derived is not None:
            return settings | {"lr": derived.lr}
        first = self.optimizers[0].settings.get("lr") if self.optimizers else None
        if not math.isnan(self.lr) and settings.get("lr", first) == first:
            settings["lr"] = self.lr
        return settings

    def line_of(self, file: str, line: int) -> str:
        """The text of a line as it was run."""
        lines = self.sources.get(file, "").splitlines()
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def recorded_step(reader: Reader, step: int | None) -> RecordedStep:
    """A step from the record; the first that was kept in full where none is asked for.

    Raises RecordError where it was not kept (the nearest is named), or where the record holds too little of it.
    """
    info = reader.info
    if step is None:
        kept = [row.step for row in reader.snapshots()]
        if not kept:
            raise RecordError(
                "no step of this run was kept in full",
                where=str(info.path),
                help="steps are kept when a training is watched or trained; a script that trains nothing has none",
            )
        step = kept[0]
    tensors = reader.tensors(step)
    steps = reader.steps()
    rate = next((lr for number, lr in zip(steps.step, steps.rate, strict=True) if number == step), math.nan)
    if info.kind == "train":
        return _of_training(reader, step, tensors, rate)
    tensors = {**_named_batch(reader, step, tensors), **tensors}
    rows = [operation_from(step, row) for row in reader.operations(step)]
    happened: list[Mapping[str, Any]] = next(
        (row.values["happened"] for row in reader.facts("order") if row.step == step), []
    )
    graph = StepGraph(step, rows)
    found = RecordedStep(
        info, step, graph, tensors, _optimizers(reader, happened), rate, tuple(happened), reader.sources()
    )
    derived = by_hand(graph, tensors)
    if derived is None:
        return found
    gradients = {f"gradient.{name}": each.gradient for name, each in derived.gradients.items()}
    return replace(found, by_hand=derived, tensors={**tensors, **gradients}, lr=derived.lr)


def _named_batch(reader: Reader, step: int, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the batch by the names of the variables that held them, as operations call them."""
    rows = [row for row in reader.batches() if row.step == step and not row.evaluation]
    found = {}
    for position, row in enumerate(rows):
        kept = tensors.get(f"batch.{('x', 'y')[position] if position < 2 else position}")
        if row.name and kept is not None and tuple(kept.shape) == row.shape:
            found[row.name] = kept
    return found


def _optimizers(reader: Reader, happened: Sequence[Mapping[str, Any]]) -> tuple[Optimizer, ...]:
    """Those that ever made a step, each of their groups by itself."""
    found: list[Optimizer] = []
    for row in reader.facts("optimizer"):
        values = row.values
        if not values.get("steps"):
            continue
        every = values.get("groups") or [values]
        for group in every:
            settings = group.get("settings") or {}
            found.append(Optimizer(str(values["class"]), settings, tuple(group.get("parameters") or ())))
    if not found and any(each["what"] == "update" and each.get("optimizer") for each in happened):
        return (Optimizer(UNKNOWN, {}),)  # told when a program ends, and this one has not
    return tuple(found)


def _of_training(reader: Reader, step: int, tensors: Mapping[str, Tensor], rate: float) -> RecordedStep:
    info = reader.info
    recipe = info.recipe
    kind = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[str(recipe["optimizer"])]
    settings = {
        "lr": rate,
        "momentum": recipe["momentum"],
        "nesterov": recipe["nesterov"],
        "weight_decay": recipe["weight_decay"],
        "betas": [recipe["beta1"], recipe["beta2"]],
        "eps": recipe["epsilon"],
    }
    outside: dict[str, Tensor] = {}
    rows: Sequence[Mapping[str, Any]]
    cut = ""
    if recipe["model"] in KINDS:
        rows, outside = _operations(info, step, tensors)
        cut = next((row.note for row in reader.snapshots() if row.step == step), "")
    else:
        rows = _operations_of_own_model(reader, step)
    graph = StepGraph(step, [operation_from(step, row) for row in rows])
    every = {**tensors, **outside}
    optimizer, sources = Optimizer(kind, settings), reader.sources()
    return RecordedStep(info, step, graph, every, (optimizer,), rate, sources=sources, cut=cut)


def _operations_of_own_model(reader: Reader, step: int) -> Sequence[Mapping[str, Any]]:
    """As they were recorded: code of a record is never run."""
    try:
        return reader.operations(step)
    except RecordError:
        why = next((f": {row.why}" for row in reader.unseen() if row.what == "operations"), "")
        raise RecordError(
            f"the model is a class of your own ({reader.info.recipe['model']}),"
            f" and the operations of step {step} are not in the record{why}",
            where=str(reader.info.path),
            help="train again: where nothing in the model prevents it, they are recorded",
        ) from None


def _operations(
    info: RunInfo, step: int, tensors: Mapping[str, Tensor]
) -> tuple[tuple[Mapping[str, Any], ...], dict[str, Tensor]]:
    """The operations of a step of ``train``: its model is made anew with the values of the snapshot, and run once."""
    from descend.models.architecture import Architecture
    from descend.models.build import build
    from descend.train.losses import LOSSES
    from descend.watch.operations import OperationRecorder

    recipe = info.recipe
    x, y = tensors.get("batch.x"), tensors.get("batch.y")
    if x is None or y is None:
        raise RecordError(
            f"the batch of step {step} was left out of its snapshot", where=str(info.path), help="it was too large"
        )
    weights = {name.removeprefix("before."): value for name, value in tensors.items() if name.startswith("before.")}
    outputs = len(weights[next(reversed([name for name, _ in info.parameters]))])
    shape = tuple(x.shape[1:])
    module = build(Architecture(recipe["model"], shape, outputs, tuple(recipe["sizes"]), recipe["activation"]))
    module.load_state_dict({**module.state_dict(), **weights})
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    told: list[Event] = []
    recorder = OperationRecorder(told.append, lambda tensor: names.get(id(tensor), ""), lambda _: False)
    recorder.begin_step(1)  # as a step that is kept in full
    try:
        LOSSES[recipe["loss"]].mean(module(x), y).backward()  # type: ignore[no-untyped-call]
        outside = recorder.outside()
    finally:
        recorder.end_step(step)
        recorder.close()
    [operations] = [event for event in told if isinstance(event, Operations)]
    return operations.rows, outside
