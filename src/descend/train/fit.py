"""One training from a plan to a report: devices and threads, the loop, the model folder, and the errors on the way."""

import contextlib
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from descend.data.dataset import Examples
from descend.errors import Diverged
from descend.models import folder
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

MODEL_FOLDER = "model"
LAST_FOLDER = "model-last"


def fit(
    plan: Plan,
    run_folder: Path,
    listeners: Sequence[Listener],
    *,
    give_up: Callable[[], bool] = lambda: False,
    pause_at: int | None = None,
    pause: Callable[[int, float], None] | None = None,
    started: float | None = None,
) -> tuple[Report, Diverged | None]:
    """Train the plan's model and keep it in ``run_folder``; every listener hears every event.

    A training that diverged comes back with its error beside the report, so that the report is kept as well.
    ``give_up`` is asked between steps whether it makes sense to go on. ``started`` is the moment (``time.time``) when the person began to wait; the seconds in total count from there.
    """
    started = started or time.time()
    assert plan.dataset is not None
    recipe, device = plan.recipe, torch.device(plan.recipe.device)
    collector = Collector()

    def emit(event: Event) -> None:
        for listener in (collector, *listeners):
            listener(event)

    with _threads(recipe.threads), _stop_signal() as should_stop:
        plan.module.to(device)
        train, validation = split(plan.dataset, recipe)
        parts = Parts(_on(device, train), _maybe_on(device, validation), _maybe_on(device, plan.dataset.test))
        engine = new_engine(recipe, plan.module, plan.layers, parts.train)
        loop = Loop(recipe, plan.module, engine, parts, plan.loss, emit)
        loop.should_stop, loop.give_up, loop.pause_at, loop.pause = should_stop, give_up, pause_at, pause
        emit(_run_started(plan, run_folder, loop))
        plan.module.train()
        with torch.set_grad_enabled(plan.layers is None):
            loop.run()
            error = divergence.explain(loop) if loop.progress.status == "diverged" else None
        if error is None:
            report = _keep_models(plan, loop, collector, run_folder, started)
        else:
            report = build_report(plan, loop, collector, run_folder, started=started)
            report["message"] = str(error)
    emit(RunEnded(report["status"], report))
    return report, error


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
        sources={str(source): source.read_text(encoding="utf-8")},
    )


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
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C (and SIGTERM) asks the loop to stop after the step it is in; a second one interrupts at once.

    Only the main thread can be told by signals; anywhere else the training just runs.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
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
