"""One training from a plan to a report: devices and threads, the loop, the model folder, and the errors on the way."""

import contextlib
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from descend.data.dataset import Examples
from descend.errors import DescendError, Diverged, TrainingError
from descend.models import folder, places
from descend.record.events import Event, Listener, RunEnded, RunStarted
from descend.train import divergence
from descend.train import step as step_file
from descend.train.fresh import new_engine
from descend.train.loop import Loop, Parts
from descend.train.prepare import Plan, split
from descend.train.report import (
    Collector,
    Report,
    architecture_of,
    build_report,
    described_model,
    device_of,
    last_metrics,
    title_of,
)

if TYPE_CHECKING:
    from descend.train.pause import Away

MODEL_FOLDER = "model"
LAST_FOLDER = "model-last"


def fit(
    plan: Plan,
    run_folder: Path,
    listeners: Sequence[Listener],
    *,
    pause_at: int | None = None,
    pause: Callable[[int, float, "Away"], None] | None = None,
    started: float | None = None,
    examine: Callable[[Report], Mapping[str, Any]] | None = None,
) -> tuple[Report, Diverged | None]:
    """Train the plan's model and keep it in ``run_folder``; every listener hears every event.

    A training that diverged comes back with its error beside the report, so that the report is kept as well.
    ``started`` is the moment (``time.time``) when the person began to wait: the seconds in total count from there. ``examine``
    gives findings for the report, from the report without them.
    """
    started = started or time.time()
    collector = Collector(plan.recipe.epochs)
    everyone: list[Listener] = [collector, *listeners]

    def emit(event: Event) -> None:
        for listener in everyone:
            listener(event)

    by_hand_on_cpu = plan.layers is not None and plan.recipe.device == "cpu"
    with _threads(plan.recipe.threads), _tiny_numbers_as_zero(by_hand_on_cpu), _stop_signal() as should_stop:
        loop = _loop(plan, emit)
        loop.should_stop, loop.pause_at, loop.pause = should_stop, pause_at, pause
        diverged = None
        try:
            emit(_run_started(plan, run_folder, loop))
            with torch.set_grad_enabled(plan.layers is None):
                loop.run()
                diverged = divergence.explain(loop) if loop.progress.status == "diverged" else None
            if diverged is None:
                report = _keep_models(plan, loop, collector, run_folder, started)
            else:
                report = build_report(plan, loop, collector, run_folder, started=started)
                report["message"] = diverged.what
        except BaseException as error:
            failure = _failure(error, plan, loop)
            loop.progress.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            report = build_report(plan, loop, collector, run_folder, started=started, examine=False)
            report["message"] = _said(failure)
            emit(RunEnded(report["status"], report))
            if failure is error:
                raise
            raise failure from error
    if examine is not None:
        report |= examine(report)
    emit(RunEnded(report["status"], report))
    return report, diverged


def _loop(plan: Plan, emit: Listener) -> Loop:
    """The plan's model, examples and engine on the plan's device, ready for the first step."""
    assert plan.dataset is not None
    device = torch.device(plan.recipe.device)
    plan.module.to(device)
    train, validation = split(plan.dataset, plan.recipe)
    parts = Parts(_on(device, train), _maybe_on(device, validation), _maybe_on(device, plan.dataset.test))
    engine = new_engine(plan.recipe, plan.module, plan.layers, parts.train)
    plan.module.train()
    return Loop(plan.recipe, plan.module, engine, parts, plan.loss, emit)


def _failure(error: BaseException, plan: Plan, loop: Loop) -> BaseException:
    """What to raise for an error inside the loop: with the user's own line where it is their model's, as it is where it is ours."""
    number, frames = loop.progress.step, traceback.extract_tb(error.__traceback__)
    when = f"in step {number:,}"
    if any(frame.name == Loop.timed_evaluation.__name__ for frame in frames):
        when = f"when it was examined after step {number:,}" if number else "when it was examined before the first step"
    if isinstance(error, torch.OutOfMemoryError):
        return TrainingError(
            f"the device ran out of memory {when}",
            where=plan.recipe.device,
            help="take a smaller --batch-size or model",
        )
    if not plan.architecture.is_user_code or isinstance(error, DescendError | KeyboardInterrupt):
        return error
    place = places.place_of_error(error, places.folder_of_forward(plan.module))
    if isinstance(error, SystemExit):
        return TrainingError(
            f"your model ended the program {when}", where=place, help="take the call that exits out of forward"
        )
    if place:
        before = f"--pause {number - 1} opens a debugger in the step before it" if number > 1 else "correct that line"
        return TrainingError(f"your model raised an error {when}: {places.said(error)}", where=place, help=before)
    if isinstance(error, RuntimeError | ValueError | IndexError) and Path(frames[-1].filename).name == "functional.py":
        return TrainingError(
            f"your model's outputs do not fit the labels {when}: {places.said(error)}",
            where=places.place_of_forward(plan.module),
            help="forward has to return the same shape for every batch, (rows, outputs): print it there",
        )
    if isinstance(error, RuntimeError) and any("autograd" in Path(frame.filename).parts for frame in frames):
        return TrainingError(
            f"your model's gradients cannot be computed {when}: {places.said(error)}",
            where=places.place_of_forward(plan.module),
            help="look in forward for detach(), no_grad(), numpy, and for tensors that are changed in place",
        )
    return error


def _said(failure: BaseException) -> str:
    """A failure in one line, for the report."""
    if isinstance(failure, KeyboardInterrupt):
        return "asked a second time to stop, it stopped at once, and kept no model"
    return failure.what if isinstance(failure, DescendError) else places.said(failure)


def _keep_models(plan: Plan, loop: Loop, collector: Collector, run_folder: Path, started: float) -> Report:
    """Save the weights that did best on the validation rows, or the last; where these differ, the last ones beside them."""
    best = loop.best
    if best is not None and loop.progress.best_epoch != loop.progress.epoch:
        folder.save(run_folder / LAST_FOLDER, loop.module, described_model(plan, last_metrics(loop)))
        loop.module.load_state_dict(best)
    report = build_report(plan, loop, collector, run_folder, started=started)
    folder.save(run_folder / MODEL_FOLDER, loop.module, described_model(plan, report))
    report["model"] = str(run_folder / MODEL_FOLDER)
    return report


def _run_started(plan: Plan, run_folder: Path, loop: Loop) -> RunStarted:
    assert plan.dataset is not None
    source = Path(step_file.__file__)
    return RunStarted(
        name=run_folder.name,
        kind="train",
        title=title_of(plan.dataset),
        recipe=plan.recipe.as_json(),
        choices=tuple(choice.as_json() for choice in plan.choices),
        environment=_environment(plan),
        seed=plan.recipe.seed,
        parameters=tuple((name, tuple(value.shape)) for name, value in loop.engine.parameters.value.items()),
        epochs=plan.recipe.epochs,
        steps_per_epoch=loop.steps_per_epoch,
        sources={str(source): source.read_text(encoding="utf-8"), **_source_of_model(plan)},
    )


def _source_of_model(plan: Plan) -> dict[str, str]:
    """The user's own file with the model: without its text nobody knows later what was trained."""
    if not plan.architecture.is_user_code:
        return {}
    path = Path(plan.architecture.kind.rpartition(":")[0]).resolve()
    try:
        return {str(path): path.read_text(encoding="utf-8")}
    except (OSError, ValueError):  # gone since it was loaded, or in another encoding
        return {}


def _environment(plan: Plan) -> dict[str, Any]:
    return {
        "architecture": architecture_of(plan),
        "device": device_of(plan),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "command": sys.argv,
    }


def _on(device: torch.device, examples: Examples) -> Examples:
    return Examples(examples.features.to(device), examples.targets.to(device))


def _maybe_on(device: torch.device, examples: Examples | None) -> Examples | None:
    return None if examples is None else _on(device, examples)


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many processor threads for one operation, and afterwards as many as before."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _tiny_numbers_as_zero(wanted: bool) -> Iterator[None]:
    """Let the processor take numbers below 1.2e-38 for zero, and afterwards do as before.

    Adam's running mean of a gradient that has stopped shrinks by a tenth every step and gets there after some 800 steps; arithmetic
    with such numbers is many times slower, which nearly doubles the time of an epoch. They are far too small to move a weight, and a
    test compares the weights bit for bit.
    """
    before = torch.tensor(1e-38).mul(0.01).item() == 0
    if wanted:
        torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextlib.contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C (and SIGTERM) asks the loop to stop after the step it is in; a second one interrupts at once.

    Only the main thread can be told by signals; anywhere else the training just runs.
    """
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
