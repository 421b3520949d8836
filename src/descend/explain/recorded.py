"""What the record holds of one step: its operations, its tensors, how it was updated. For watched scripts and ``train`` runs alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from descend.errors import RecordError
from descend.record.events import Event, Operations
from descend.record.graph import StepGraph, operation_from
from descend.record.reader import Reader
from descend.record.rows import RunInfo


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How parameters were updated. ``kind`` is the name of the class, or "" for an update written by hand."""

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

    @property
    def parameters(self) -> list[str]:
        """Parameters whose gradients are there, in the order of the model."""
        names = [name for name, _ in self.info.parameters]
        found = [name.removeprefix("before.") for name in self.tensors if name.startswith("before.")]
        return sorted(found, key=lambda name: names.index(name) if name in names else len(names))

    def optimizer_of(self, parameter: str) -> Optimizer:
        """The one that updated a parameter."""
        holding = [each for each in self.optimizers if parameter in each.parameters]
        return (holding or [each for each in self.optimizers if not each.parameters] or [Optimizer("", {})])[0]

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
    rate = next(
        (lr for number, lr in zip(reader.steps().step, reader.steps().rate, strict=True) if number == step),
        float("nan"),
    )
    if info.kind == "train":
        return _of_training(info, step, tensors, rate)
    rows = [operation_from(step, row) for row in reader.operations(step)]
    optimizers = tuple(
        Optimizer(str(row.values["class"]), row.values.get("settings") or {}, tuple(row.values.get("parameters") or ()))
        for row in reader.facts("optimizer")
        if row.values.get("steps")
    )
    happened: list[Mapping[str, Any]] = next(
        (row.values["happened"] for row in reader.facts("order") if row.step == step), []
    )
    return RecordedStep(info, step, StepGraph(step, rows), tensors, optimizers, rate, tuple(happened), reader.sources())


def _of_training(info: RunInfo, step: int, tensors: Mapping[str, Tensor], rate: float) -> RecordedStep:
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
    rows, outside = _operations(info, step, tensors)
    graph = StepGraph(step, [operation_from(step, row) for row in rows])
    return RecordedStep(info, step, graph, {**tensors, **outside}, (Optimizer(kind, settings),), rate)


def _operations(
    info: RunInfo, step: int, tensors: Mapping[str, Tensor]
) -> tuple[tuple[Mapping[str, Any], ...], dict[str, Tensor]]:
    """The operations of a step of ``train``: its model is made anew with the values of the snapshot, and run once."""
    from descend.models.architecture import KINDS, Architecture
    from descend.models.build import build
    from descend.train.losses import LOSSES
    from descend.watch.operations import OperationRecorder

    recipe = info.recipe
    if recipe["model"] not in KINDS:
        raise RecordError(
            f"the model is a class of your own ({recipe['model']}), and the record of a training does not hold its operations",
            where=str(info.path),
            help="descend eject writes the training as a script; descend run on that script records them",
        )
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
