"""What is said of a training afterwards: one JSON object, put together from the events that everybody hears."""

import math
import time
from array import array
from pathlib import Path
from typing import Any

import torch

from descend.data.dataset import Dataset
from descend.models.build import parameter_count
from descend.models.description import ModelDescription
from descend.record.events import PHASES, EpochDone, Event, Message, PhaseTimes, StepsDone
from descend.record.summarise import FEW_VALUES, finite, shares, thinned
from descend.train.loop import Loop
from descend.train.metrics import confused_pairs, evaluate, scalars, worst_mistakes
from descend.train.prepare import Plan

Report = dict[str, Any]

MOST_EPOCHS = 10_000  # of a longer training some are left out
WARM_UP = 1  # the first step allocates what all later ones use; its times say nothing about them


class Collector:
    """Listens to a training and keeps what the report needs."""

    def __init__(self, epochs: int) -> None:
        self.planned = epochs
        self.stride = -(-epochs // MOST_EPOCHS)  # of a very long training, every so many epochs are kept
        self.epochs_done = 0
        self.epochs: list[dict[str, Any]] = []
        self.losses = array("d")
        self.last_rate = math.nan
        self.phases = dict.fromkeys(PHASES, 0.0)
        self.messages: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepsDone):
            self.losses.extend(event.losses)
            self.last_rate = event.rates[-1]
        elif isinstance(event, PhaseTimes) and event.step > WARM_UP:
            for phase, seconds in event.seconds.items():
                self.phases[phase] += seconds
        elif isinstance(event, EpochDone) and event.epoch > 0:
            self.epochs_done = event.epoch
            if event.epoch % self.stride == 0 or event.epoch in (1, self.planned):
                self.epochs.append(self._epoch(event))
        elif isinstance(event, Message):
            self.messages.append(event.text)

    def _epoch(self, event: EpochDone) -> dict[str, Any]:
        return {
            "epoch": event.epoch,
            "step": event.step,
            "seconds": event.seconds,
            "loss": event.metrics["train"]["loss"],
            "validation": event.metrics.get("validation"),
            "test": event.metrics.get("test"),
            "lr": self.last_rate,
        }


def build_report(
    plan: Plan, loop: Loop, collector: Collector, run_folder: Path, *, started: float, examine: bool = True
) -> Report:
    """The report of a training that has ended; results that do not exist are None, numbers that are not finite too.

    ``started`` is the moment (``time.time``) from which the seconds in total count. ``examine`` False leaves out what the model
    can do now, where it cannot do anything.
    """
    progress, dataset = loop.progress, plan.dataset
    assert dataset is not None
    after = dict.fromkeys(("train", "validation", "test"))
    if examine and progress.status != "diverged":
        after |= {name: loop.timed_evaluation(part) for name, part in loop.parts if part is not None}
    unseen = next((name for name in ("test", "validation") if dict(loop.parts)[name] is not None), None)
    report: Report = {
        "run": run_folder.name,
        "path": str(run_folder),
        "model": None,
        "status": progress.status,
        "message": None,
        "title": title_of(dataset),
        "recipe": plan.recipe.as_json(),
        "choices": [choice.as_json() for choice in plan.choices],
        "architecture": architecture_of(plan),
        "device": device_of(plan),
        "task": dataset.task,
        "feature_names": list(dataset.feature_names),
        "target_names": list(dataset.target_names),
        "notes": list(dataset.notes),
        "unseen": unseen,
        "rows": {name: 0 if part is None else len(part) for name, part in loop.parts},
        "steps": loop.log.told,
        "before": {name: progress.before.get(name) for name in after},
        **after,
        "epochs": collector.epochs,
        "best_epoch": progress.best_epoch,
        "losses": {
            "first": collector.losses[0] if collector.losses else None,
            "last": collector.losses[-1] if collector.losses else None,
            "curve": thinned(collector.losses),
        },
        "parameters": parameters_of(loop) if examine and progress.status != "diverged" else [],
        "phases": shares(collector.phases),
        **mistakes_of(plan, loop, after, unseen),
        "seconds": {},
        "examples_per_second": None,
    }
    report["seconds"] = {
        "total": time.time() - started,
        "training": progress.training_seconds,
        "per_epoch": progress.training_seconds / collector.epochs_done if collector.epochs_done else None,
        "evaluation": progress.evaluation_seconds,
        "recording": progress.sampling_seconds,
    }
    if progress.training_seconds > 0:
        report["examples_per_second"] = loop.examples_seen / progress.training_seconds
    cleaned: Report = finite(report)
    return cleaned


def described_model(plan: Plan, report: Report) -> ModelDescription:
    """What the model folder says of the weights that the loop's module holds now; their metrics come from the report."""
    dataset = plan.dataset
    assert dataset is not None
    return ModelDescription(
        architecture=plan.architecture,
        preparation=dataset.preparation,
        task=dataset.task,
        feature_names=dataset.feature_names,
        target_names=dataset.target_names,
        loss=plan.recipe.loss,
        recipe=plan.recipe.as_json(),
        metrics={name: scalars(report[name]) if report[name] else None for name in ("train", "validation", "test")},
    )


def last_metrics(loop: Loop) -> Report:
    """Metrics of the weights that the loop's module holds now, for ``described_model``."""
    found: Report = dict.fromkeys(("train", "validation", "test"))
    return found | {
        name: evaluate(loop.module, part, loop.loss_function) for name, part in loop.parts if part is not None
    }


def title_of(dataset: Dataset) -> str:
    """``mnist · 60,000 images to learn from, …``"""
    return f"{dataset.name} · {dataset.title}"


def architecture_of(plan: Plan) -> str:
    """``mlp 784 → 128 → relu → 10 (101,770 parameters)``"""
    return plan.architecture.describe(parameter_count(plan.module))


def device_of(plan: Plan) -> str:
    """``cpu, 1 thread``, or the name of the GPU."""
    recipe = plan.recipe
    if recipe.device == "cuda":
        return f"cuda, {torch.cuda.get_device_name()}"
    if recipe.device == "cpu":
        return f"cpu, {recipe.threads} thread{'' if recipe.threads == 1 else 's'}"
    return recipe.device


def parameters_of(loop: Loop) -> list[dict[str, Any]]:
    """Name, shape and Euclidean distance moved of every parameter; its values where there are few."""
    parameters = loop.engine.parameters
    rows = []
    for name, change in parameters.views(parameters.values - loop.start).items():
        value = parameters.value[name]
        row = {"name": name, "shape": list(value.shape), "moved": float(torch.linalg.vector_norm(change))}
        if value.numel() <= FEW_VALUES:
            row["values"] = value.flatten().tolist()
        rows.append(row)
    return rows


def mistakes_of(plan: Plan, loop: Loop, after: dict[str, Any], unseen: str | None) -> dict[str, Any]:
    """The surest mistakes among unseen rows and the classes taken for one another most often; None where there are none."""
    examples = dict(loop.parts)[unseen] if unseen else None
    assert plan.dataset is not None
    if plan.dataset.task != "classes" or examples is None or unseen is None or after[unseen] is None:
        return {"confused": None, "worst": None}
    names = plan.dataset.target_names
    return {
        "confused": [
            {"pair": [names[lower], names[higher]], "count": count}
            for lower, higher, count in confused_pairs(after[unseen]["confusion"])
        ],
        "worst": [
            {"index": one.index, "said": names[one.said], "share": one.share, "is": names[one.truth]}
            for one in worst_mistakes(loop.module, examples)
        ],
    }
