"""What a person holds: `train`, and the `Run` that a training leaves behind.

The door for Python programs; the command line goes through it too. May import every room below it.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from torch import Tensor

from descend.asking import PathLike, in_words, load, worst_images
from descend.checking import findings_of
from descend.data.arrays import from_arrays
from descend.data.catalogue import CATALOGUE
from descend.data.dataset import Dataset, Task
from descend.data.kept import keep
from descend.errors import DataError, RecipeError, RecordError, StorageError, UsageError
from descend.explaining import Explanation, explain_step
from descend.models.model import Model
from descend.record.events import Event, Listener, Message, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.runs import new_run_folder, runs_folder
from descend.record.writer import Writer
from descend.show.layout import open_console
from descend.show.live import Live
from descend.show.pause import TensorFacts, step_table
from descend.show.shown import as_html, as_plain_text, as_text
from descend.show.summary import Images, summary
from descend.train.eject.script import eject, write_script
from descend.train.fit import fit
from descend.train.pause import Away, numbers_of, open_debugger
from descend.train.prepare import Plan, plan, steps_planned
from descend.train.recipe import Recipe, read_recipe


class Run:
    """One training and what it left behind: its report, its record, its model.

    Printing it (or leaving it at the end of a notebook cell) shows its summary.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.path.name

    @property
    def report(self) -> dict[str, Any]:
        """Everything that is said of the training afterwards, as JSON values.

        Raises RecordError while the training has not ended, and where it died.
        """
        with self.record() as record:
            info = record.info
        if info.report is None:
            raise RecordError(
                f"the run '{self.name}' has no report: it {in_words(info.status)}",
                where=str(self.path),
                help="its steps up to there can be read with run.record(), or compared with descend runs A B",
            )
        return info.report

    @property
    def metrics(self) -> dict[str, dict[str, Any] | None]:
        """Loss and metrics of the trained model on ``train``, ``validation`` and ``test``; None for a part there is not."""
        report = self.report
        return {part: report[part] for part in ("train", "validation", "test")}

    @property
    def recipe(self) -> Recipe:
        """What was trained, and how."""
        with self.record() as record:
            return Recipe.from_json(record.info.recipe)

    @property
    def losses(self) -> list[float]:
        """The loss of every step, from the first on."""
        with self.record() as record:
            return record.steps().loss

    def record(self) -> Reader:
        """The record, opened for reading; use it in a ``with`` statement."""
        return Reader(self.path)

    def model(self, *, code: str | None = None) -> Model:
        """The trained model; ``code`` is ``"file.py:ClassName"`` where it is a class of your own."""
        return load(self.path, code=code)

    def script(self, output: PathLike | None = None) -> str:
        """The plain PyTorch script that does the same training and gives the same losses, bit for bit on the same machine.

        output: a file to write it to, which must not be there yet; rows of arrays are then written beside it. Without it the script
        reads such rows from the run folder. Raises UsageError and RecordError with what is wrong and what to do.
        """
        with self.record() as record:
            info, sources, steps = record.info, record.sources(), len(record.steps().step)
        if output is None:
            return eject(info, sources, steps)
        return write_script(info, sources, steps, Path(output))

    def explain(self, step: int | None = None, *, parameter: str | None = None, row: int | None = None) -> Explanation:
        """One step worked out with its own numbers; it shows itself when it is printed, and ``.data`` holds it as JSON values.

        step: one that was kept in full, the first by itself. parameter: whose gradient is followed, the one with the largest by
        itself. row: of the batch, counted from 0. Raises RecordError and UsageError with what is wrong and what to do.
        """
        return explain_step(self.path, step=step, parameter=parameter, row=row)

    def __repr__(self) -> str:
        return f"Run('{self.path}')"

    def __str__(self) -> str:
        return as_plain_text(self._summary)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield as_text(self._summary, console)

    def _repr_html_(self) -> str | None:
        """For notebooks; nothing while there is no report."""
        try:
            return as_html(self._summary)
        except RecordError:
            return None

    def _summary(self, console: Console) -> None:
        summary(self.report, console, self._worst_images())

    def _worst_images(self) -> Images | None:
        return worst_images(self.report, None)


def train(
    data: str | Dataset | tuple[object, object],
    *,
    test: tuple[object, object] | None = None,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    task: Task | None = None,
    recipe: Recipe | Mapping[str, Any] | PathLike | None = None,
    name: str | None = None,
    runs: str | None = None,
    progress: bool | Console = True,
    pause: int | None = None,
    **settings: Any,
) -> Run:
    """Train a model and keep its record, its report and its model in a run folder.

    Args:
        data: the name of a built-in set (``mnist``, ``mnist-softmax``, ``line``, ``scores``, ``scores-two``), a Dataset, or a pair
            of features (N, *shape) and targets: (N,) whole numbers are classes, (N,) or (N, T) floats are values to predict.
        test: features and targets to be examined on, for data given as a pair.
        feature_names: one name a column, for data given as a pair.
        target_names: of the classes or of the columns of values, for data given as a pair.
        task: ``"classes"`` or ``"values"``, where the type of the targets would say otherwise.
        recipe: settings to begin with: a Recipe, a mapping, or the path of a TOML file. ``settings`` come on top.
        name: of the run folder; the data's name and a number when left out.
        runs: the folder of run folders; else the variable DESCEND_RUNS, else ``runs``.
        progress: show a live view on stderr, or on a console of your own; False shows nothing.
        pause: open a debugger inside this step.
        **settings: any setting of a recipe: ``model="cnn"``, ``lr=0.01``, ``epochs=3``, ``batch_size="all"`` …

    Raises:
        UsageError: what was asked for cannot be trained; nothing was written.
        Diverged: the loss stopped being a finite number; the record up to there is kept.
        StorageError: the disk refused.
    """
    started = time.time()
    planned = planned_training(
        data, test=test, feature_names=feature_names, target_names=target_names, task=task, recipe=recipe, **settings
    )
    console = progress if isinstance(progress, Console) else open_console(stderr=True) if progress else None
    return train_plan(planned, name=name, runs=runs, console=console, pause=pause, started=started)


def planned_training(
    data: str | Dataset | tuple[object, object],
    *,
    test: tuple[object, object] | None = None,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    task: Task | None = None,
    recipe: Recipe | Mapping[str, Any] | PathLike | None = None,
    load_data: bool = True,
    **settings: Any,
) -> Plan:
    """The plan of a training, checked, with nothing written yet; arguments as for ``train``."""
    only_pairs = {"test": test, "feature_names": feature_names, "target_names": target_names, "task": task}
    if isinstance(data, tuple):
        if len(data) != 2:
            raise DataError(f"data is a tuple of {len(data)}", help="give a pair: (features, targets)")
        data = from_arrays(*data, test=test, feature_names=feature_names, target_names=target_names, task=task)
    elif isinstance(data, str | Dataset):
        extra = [key for key, value in only_pairs.items() if value is not None]
        if extra:
            raise DataError(
                f"{' and '.join(extra)} can only be given beside arrays",
                help="leave them out, or give (features, targets)",
            )
    else:
        raise DataError(
            f"cannot learn from a {type(data).__name__}",
            help="give the name of a set (descend data lists them), or a pair: (features, targets)",
        )
    return plan(data, {**settings_of(recipe), **settings}, load=load_data)


def settings_of(recipe: Recipe | Mapping[str, Any] | PathLike | None) -> dict[str, Any]:
    """The settings that a recipe names, without ``data``, which is given apart."""
    if recipe is None:
        return {}
    if isinstance(recipe, Recipe):
        settings = recipe.as_json()
    elif isinstance(recipe, Mapping):
        settings = dict(recipe)
    elif isinstance(recipe, str | os.PathLike):
        settings = read_recipe(Path(recipe))
    else:
        raise RecipeError(
            [f"recipe is of the type {type(recipe).__name__}"],
            help="give a Recipe, a mapping, or the path of a TOML file",
        )
    settings.pop("data", None)
    return settings


def train_plan(
    planned: Plan,
    *,
    name: str | None = None,
    runs: str | None = None,
    console: Console | None = None,
    pause: int | None = None,
    started: float | None = None,
) -> Run:
    """Train what was planned; arguments as for ``train``, ``console`` for the live view."""
    if pause is not None and (not isinstance(pause, int) or pause < 1):
        raise UsageError(f"there is no step {pause} to pause in", help="steps are counted from 1: --pause 1")
    if pause is not None and pause > steps_planned(planned):
        raise UsageError(
            f"there is no step {pause:,} to pause in: this training has {steps_planned(planned):,}",
            help="give a lower --pause, or more --epochs",
        )
    run_folder = new_run_folder(runs_folder(runs), name, planned.info.name)
    classes = planned.info.outputs if planned.info.task == "classes" else None
    live = Live(console, classes=classes) if console is not None else None
    try:
        with Writer(run_folder) as writer:
            listeners: list[Listener] = [writer] if live is None else [writer, live, _once_failed(writer, live)]
            if planned.dataset is not None and planned.info is not CATALOGUE.get(planned.info.name):
                listeners.append(_rows_keeper(planned.dataset, run_folder, tuple(listeners)))
            report, diverged = fit(
                planned,
                run_folder,
                listeners,
                pause_at=pause,
                pause=_pauser(listeners, console),
                started=started,
                examine=lambda report: _findings(writer, run_folder, report),
            )
    finally:
        if live is not None:
            live.close()
    if writer.failure is not None:
        raise _with_model(writer.failure, report)
    if diverged is not None:
        diverged.report = report
        raise diverged
    return Run(run_folder)


def _findings(writer: Writer, run_folder: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """What the checks say of the record as it stands."""
    writer.flush()
    return findings_of(run_folder, report)


def _with_model(failure: StorageError, report: Mapping[str, Any]) -> StorageError:
    """The failure of the record, and what became of the training, which went on."""
    kept = f"its model is kept in {report['model']}" if report["model"] else "it left no model"
    return StorageError(f"{failure.what}; the training went on: {kept}", where=failure.where, help=failure.help)


def _once_failed(writer: Writer, live: Listener) -> Listener:
    """Says so, once, when the record can no longer be written; the training goes on, its model may still be kept."""
    said = False

    def listen(event: Event) -> None:
        nonlocal said
        if writer.failure is not None and not said and isinstance(event, StepsDone):
            said = True
            live(
                Message(
                    event.first,
                    "storage",
                    f"{writer.failure.what}; the training goes on, free some space before it ends",
                )
            )

    return listen


def _rows_keeper(dataset: Dataset, run_folder: Path, others: Sequence[Listener]) -> Listener:
    """Keeps rows that descend cannot make again, once the run has begun; where the disk refuses, the training goes on without."""

    def listen(event: Event) -> None:
        if isinstance(event, RunStarted):
            try:
                keep(dataset, run_folder)
            except StorageError as failure:
                for other in others:
                    other(Message(0, "storage", f"the rows are not kept for descend eject: {failure.what}"))

    return listen


def _pauser(listeners: Sequence[Listener], console: Console | None) -> Callable[[int, float, Away], None]:
    """What the loop calls inside the step where a person wants to look around: the table, then the debugger."""

    def pause(step: int, lr: float, away: Away) -> None:
        frame = sys._getframe(2)  # the step's own, below the loop's call
        for listener in listeners:
            listener(Message(step, "pause", "paused for a look around"))
        here = frame.f_locals
        batch = [_facts(name, here[name]) for name in ("x", "y", "output")]
        parameters = here["engine"].parameters
        values = [_facts(name, value, parameters.gradient[name]) for name, value in parameters.value.items()]
        step_table(console or open_console(), step, lr, float(here["loss"]), batch, values)
        open_debugger(frame, away)

    return pause


def _facts(name: str, tensor: Tensor, gradient: Tensor | None = None) -> TensorFacts:
    norm = None if gradient is None else numbers_of(gradient)[-1]
    return TensorFacts(name, tuple(tensor.shape), *numbers_of(tensor), norm)
