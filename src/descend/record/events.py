"""The one event interface: what happens in a training, said once, to whoever listens.

``train`` emits these events from its loop; an observer of somebody else's loop emits the same ones. The record's writer is a
listener, and so is a live view. Values are plain Python numbers and text (tensors only in ``Snapshot``), so that no listener
ever has to wait for a device.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PHASES = ("data", "forward", "loss", "backward", "update", "zero")


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event: what is about to be trained, with what, where."""

    name: str
    kind: str  # "train", or "run" for a watched script
    title: str  # one line: "mnist · 60,000 images to learn from, …"
    recipe: Mapping[str, Any]  # JSON values
    choices: tuple[Mapping[str, Any], ...]  # {"key", "value", "reason", "by"}
    environment: Mapping[str, Any]  # versions, device, threads, command
    seed: int | None
    parameters: tuple[tuple[str, tuple[int, ...]], ...]  # names and shapes, in order
    epochs: int | None  # planned, where known
    steps_per_epoch: int | None
    sources: Mapping[str, str] = field(default_factory=dict)  # file → text, for every file whose lines are referred to


@dataclass(frozen=True, slots=True)
class StepsDone:
    """Some consecutive steps; the lists are of equal length."""

    first: int  # number of the first of these steps, counted from 1
    epoch: int  # of the last of them
    losses: list[float]
    rates: list[float]  # learning rate of each step
    seconds: list[float]  # wall time of each step
    rows: list[int]  # examples in each step
    epochs: Sequence[int] = ()  # of each step, where they are not all of one epoch


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Seconds of each phase of one sampled step, with the source line that did it."""

    step: int
    seconds: Mapping[str, float]  # phase → seconds
    places: Mapping[str, tuple[str, int]]  # phase → (file, line)


@dataclass(frozen=True, slots=True)
class ParameterNorms:
    """Euclidean norms of every parameter at one sampled step."""

    step: int
    rows: tuple[tuple[str, float, float, float], ...]  # name, of the value before, of the gradient, of the update


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One pass over the training rows; ``epoch`` 0 is the untrained model (``step`` 0, ``seconds`` 0)."""

    epoch: int
    step: int
    seconds: float  # of training, evaluation apart
    metrics: Mapping[str, Mapping[str, float]]  # "train" (running loss), "validation", "test" → name → value


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One step kept in full. Tensor names: ``batch.x``, ``batch.y``, ``loss``, ``output.<layer>``, ``before.<parameter>``,
    ``gradient.<parameter>``, ``after.<parameter>``, ``state_before.<kind>.<parameter>``, ``state_after.<kind>.<parameter>``, ``outside.<number>`` (see Operations), ``mask.<number>``, ``drawn.<number>``."""

    step: int
    epoch: int
    tensors: Mapping[str, "Tensor"]  # on the CPU, owned by the event
    note: str = ""  # what was left out, when the step was too large to keep whole


@dataclass(frozen=True, slots=True)
class Message:
    """Something worth a line: a pause, an interruption, a checkpoint, a change of learning rate."""

    step: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ParametersSeen:
    """Parameters of a watched script that were seen for the first time."""

    step: int
    rows: tuple[tuple[str, tuple[int, ...], str], ...]  # name, shape, found through "module", "variable" or "loop"


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """A tensor that a step or an evaluation began with: its form, and a hash of each row to know rows again by."""

    step: int
    name: str  # the variable that holds it, or ""
    shape: tuple[int, ...]
    dtype: str
    device: str
    fingerprints: tuple[int, ...]  # of the first rows, 63 bits each
    evaluation: int = 0  # number of the evaluation it belongs to; 0 for a training step


@dataclass(frozen=True, slots=True)
class ModuleCalls:
    """Which modules were called in one sampled step, in which mode."""

    step: int
    rows: tuple[tuple[str, str, bool, int], ...]  # name, class, training mode, how often


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Forward passes that no backward followed, told when training goes on or the script ends."""

    number: int  # counted from 1
    step: int  # the last training step before it
    passes: int
    seconds: float
    gradients: bool  # whether a graph was built
    training_mode: tuple[str, ...]  # modules that stood in training mode
    place: tuple[str, int]  # file and line of the first pass


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that the script printed, with the step it was printed after."""

    step: int
    text: str
    place: tuple[str, int]


@dataclass(frozen=True, slots=True)
class ValueRead:
    """A number that the script took out of a tensor."""

    step: int
    how: str  # "item", "float", "int" or "tolist"
    value: float
    tensor: str  # "loss", the name of a parameter, or ""
    place: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Operations:
    """Every operation of one step, in order, as JSON values.

    Each row: index, name, module (the owner's name), file, line, inputs (indices of earlier rows, names of parameters, or
    ``outside.0`` … for other tensors from before the step), input_shapes and input_dtypes (in the order of the inputs), input_tracked (whether autograd
    follows each), input_parts (which output of its operation each is; left out where all are first ones), shapes (of each output), dtype, tracked (whether autograd follows the output), values (all of a small output)
    or least, mean, most, std; and in ``facts`` what was measured of it for the checks.
    """

    step: int
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was measured so that a check can be made later: ``docs/record.md`` lists the kinds and their values."""

    step: int  # that it belongs to; 0 before the first
    kind: str
    values: Mapping[str, Any]  # JSON values
    place: tuple[str, int] | None = None  # file and line


@dataclass(frozen=True, slots=True)
class SourcesSeen:
    """Files of the user's whose lines are referred to, beside the script itself."""

    sources: Mapping[str, str]  # file → text


EVERYTHING_AFTER = "everything after this step"  # what was not seen where watching ended before the program did
LOOK = "look"  # the kind of the message that tells of a backward pass with no update after it
BY_AN_OPTIMIZER = "by an optimizer"  # so ends what was not seen where updates had no backward pass
OTHER_THREADS = "faults of what other threads train"  # what was not seen where several threads trained


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be watched, and why."""

    what: str
    why: str
    place: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event. ``status``: finished, stopped early, interrupted, diverged, failed."""

    status: str
    report: Mapping[str, Any]  # the JSON report of the run


Event = (
    RunStarted
    | StepsDone
    | PhaseTimes
    | ParameterNorms
    | EpochDone
    | Snapshot
    | Message
    | ParametersSeen
    | BatchSeen
    | ModuleCalls
    | Evaluation
    | Printed
    | ValueRead
    | Operations
    | Fact
    | SourcesSeen
    | Unseen
    | RunEnded
)
Listener = Callable[[Event], None]
