"""What the record holds of a training: every loss, and now and then a whole step; and that looking changes nothing."""

import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import descend
from descend.models.folder import load
from descend.record.events import PHASES
from descend.train import loop as loop_room
from descend.train import sampling
from descend.train import step as step_room
from descend.train.prepare import permutation

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(40, 3)).astype(np.float32)
VALUES = np.tanh(FEATURES.sum(1))
CLASSES = (VALUES > 0).astype(np.int64)
SETTINGS = {"batch_size": 4, "epochs": 12, "lr": 0.01}  # 120 steps
USER = "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self, i=3):\n        super().__init__(%s)\n"
LAYERS = "nn.Linear(i, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Tanh(), nn.Linear(6, 2)"
KINDS = [
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "momentum": 0.9, "clip": 0.1},
    {"optimizer": "adamw", "gradients": "autograd", "weight_decay": 0.1},
    {"optimizer": "adam", "accumulate": 2, "epochs": 24},
    {"model": "net.py:Net"},
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(USER % LAYERS)


def train(targets=CLASSES, **settings):
    sizes = {} if "model" in settings else {"sizes": [5]}
    return descend.train((FEATURES, targets), progress=False, **{**SETTINGS, **sizes, **settings})


def weights(run):
    return load(run.path / "model", code="net.py:Net" if ":" in run.recipe.model else None).module.state_dict()


def test_sampled_are_a_hundred_steps_and_then_ninety_of_every_tenfold():
    sampled = [step for step in range(1, 100_001) if sampling.is_sampled(step)]
    assert sampled[:100] == list(range(1, 101))
    assert sampled[100:190] == list(range(110, 1001, 10))
    assert sampled[190:280] == list(range(1100, 10_001, 100))
    assert [step for step in range(1, 100_001) if sampling.is_snapshot(step)] == [1, 10, 100, 1000, 10_000, 100_000]


@pytest.mark.parametrize("settings", KINDS)
def test_looking_changes_no_bit(monkeypatch, settings):
    looked = train(**settings)
    monkeypatch.setattr(loop_room, "is_sampled", lambda step: False)
    monkeypatch.setattr(loop_room, "SECONDS_BETWEEN_LOOKS", 0.0)  # and however often the losses are read
    unseen = train(**settings)
    with looked.record() as record, unseen.record() as other:
        assert len(record.snapshots()) == 3
        assert other.snapshots() == other.phases() == other.norms() == []
    one, two = weights(looked), weights(unseen)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert looked.losses == unseen.losses


@pytest.mark.parametrize(
    "targets",
    [VALUES, CLASSES],
    ids=["values", "classes"],
)
def test_every_step_is_in_the_record(targets):
    run = train(targets, validation=0.25)
    with run.record() as record:
        steps, epochs, info = record.steps(), record.epochs(), record.info
        assert record.status == "finished"
    assert steps.step == list(range(1, 97))
    assert steps.epoch == [1 + number // 8 for number in range(96)]
    assert steps.rows == [4, 4, 4, 4, 4, 4, 4, 2] * 12
    assert steps.loss == run.losses
    assert all(math.isfinite(seconds) and seconds >= 0 for seconds in steps.seconds)
    assert [row.epoch for row in epochs] == list(range(13))
    assert [row.step for row in epochs] == list(range(0, 97, 8))
    for row in epochs[1:]:
        losses = np.array(steps.loss[row.step - 8 : row.step])
        weighted = np.average(losses, weights=steps.rows[:8])
        assert row.metrics["train"]["loss"] == pytest.approx(weighted)
        assert row.metrics["validation"]["loss"] == run.report["epochs"][row.epoch - 1]["validation"]["loss"]
    assert set(epochs[0].metrics) == {"train", "validation"}
    assert info.report == run.report
    assert info.recipe == run.recipe.as_json()
    outputs = 1 if targets is VALUES else 2
    assert info.parameters == [
        ("hidden1.weight", (5, 3)),
        ("hidden1.bias", (5,)),
        ("output.weight", (outputs, 5)),
        ("output.bias", (outputs,)),
    ]
    assert info.steps_per_epoch == 8
    assert info.environment["torch"] == torch.__version__


@pytest.mark.parametrize("settings", KINDS)
def test_phases_point_at_the_lines_that_did_the_work(settings):
    run = train(**settings)
    lines, first = inspect.getsourcelines(step_room.step)
    source = dict(enumerate(lines, first))
    called = {
        "data": "engine.fetch(",
        "forward": "engine.forward(",
        "loss": "engine.loss(",
        "backward": "engine.backward(",
    }
    called |= {"update": "engine.update(", "zero": "engine.zero("}
    with run.record() as record:
        rows = record.phases()
        files = {step_room.__file__, *((str(Path("net.py").resolve()),) if "model" in settings else ())}
        assert record.sources() == {file: Path(file).read_text(encoding="utf-8") for file in files}
    steps = sorted({row.step for row in rows})
    listened = {10, 100} if "model" in settings else set()  # to the operations of the user's model, which takes time
    assert steps == [step for step in range(1, 121) if sampling.is_sampled(step) and step not in listened]
    assert [row.phase for row in rows] == list(PHASES) * len(steps)
    assert {(row.phase, row.file) for row in rows} == {(phase, step_room.__file__) for phase in PHASES}
    assert all(called[row.phase] in source[row.line] for row in rows)
    assert all(row.seconds >= 0 for row in rows)
    assert set(run.report["phases"]) == set(PHASES)
    counted = {phase: sum(row.seconds for row in rows if row.phase == phase and row.step > 1) for phase in PHASES}
    total = sum(counted.values())
    assert run.report["phases"] == pytest.approx({phase: seconds / total for phase, seconds in counted.items()})


@pytest.mark.parametrize("settings", KINDS)
def test_a_snapshot_is_one_whole_step(settings):
    run = train(**settings)
    recipe = run.recipe
    names = [row["name"] for row in run.report["parameters"]]
    with run.record() as record:
        losses = record.steps().loss
        assert [(row.step, row.note) for row in record.snapshots()] == [(1, ""), (10, ""), (100, "")]
        for step in (1, 10, 100):
            kept = record.tensors(step)
            rows = rows_of(run, step)
            assert torch.equal(kept["batch.x"], torch.from_numpy(FEATURES[rows]))
            assert torch.equal(kept["batch.y"].flatten().long(), torch.from_numpy(CLASSES[rows]))
            assert kept["loss"].item() == losses[step - 1]
            norms = {row.parameter: row for row in record.norms() if row.step == step}
            for name in names:
                before, gradient, after = (kept[f"{kind}.{name}"] for kind in ("before", "gradient", "after"))
                assert norms[name].value == pytest.approx(before.norm().item(), rel=1e-5)
                assert norms[name].gradient == pytest.approx(gradient.norm().item(), rel=1e-5)
                assert norms[name].change == pytest.approx((after - before).norm().item(), rel=1e-4)
                if recipe.optimizer == "sgd" and not recipe.momentum:
                    assert torch.equal(after, before - recipe.lr * gradient)
            if recipe.model == "mlp":
                check_gradients(kept)
            if step == 1:
                start = [kept[f"before.{name}"] for name in names]
    moved = {row["name"]: row["moved"] for row in run.report["parameters"]}
    end = weights(run)
    for name, value in zip(names, start, strict=True):
        assert moved[name] == pytest.approx((end[name] - value).norm().item(), rel=1e-4)


def rows_of(run, step):
    """The rows that this step looked at."""
    size = 4 * run.recipe.accumulate
    steps_per_epoch = 40 // size
    epoch, place = divmod(step - 1, steps_per_epoch)
    return permutation(40, run.recipe.seed, epoch + 1)[place * size : (place + 1) * size].numpy()


def check_gradients(kept):
    """The gradients that were kept are autograd's, and the outputs are those of the layers."""
    values = {name.removeprefix("before."): value.clone() for name, value in kept.items() if name.startswith("before.")}
    for value in values.values():
        value.requires_grad_()
    hidden = nn.functional.linear(kept["batch.x"], values["hidden1.weight"], values["hidden1.bias"])
    output = nn.functional.linear(hidden.relu(), values["output.weight"], values["output.bias"])
    nn.functional.cross_entropy(output, kept["batch.y"]).backward()
    for name, value in values.items():
        torch.testing.assert_close(kept[f"gradient.{name}"], value.grad, rtol=1e-5, atol=1e-7)
    if "output.hidden1" in kept:
        torch.testing.assert_close(kept["output.hidden1"], hidden)
        torch.testing.assert_close(kept["output.relu1"], hidden.relu())
        torch.testing.assert_close(kept["output.output"], output)


def test_the_outputs_of_every_layer_are_kept_where_the_model_is_a_plain_stack():
    with train().record() as record:
        assert {name for name in record.tensors(10) if name.startswith("output.")} == {
            *("output.hidden1", "output.relu1", "output.output")
        }


def test_the_optimizer_is_kept_before_and_after():
    with train(optimizer="sgd", momentum=0.9).record() as record:
        for step in (1, 10, 100):
            kept = record.tensors(step)
            for name in ("hidden1.weight", "output.bias"):
                velocity = kept[f"state_before.velocity.{name}"] * 0.9 + kept[f"gradient.{name}"]
                torch.testing.assert_close(kept[f"state_after.velocity.{name}"], velocity)
                torch.testing.assert_close(kept[f"after.{name}"], kept[f"before.{name}"] - 0.01 * velocity)
    with train(optimizer="adam").record() as record:
        kept = record.tensors(10)
        assert (kept["state_before.steps"].item(), kept["state_after.steps"].item()) == (9, 10)
        gradient, mean = kept["gradient.hidden1.weight"], kept["state_after.mean.hidden1.weight"]
        torch.testing.assert_close(mean, 0.9 * kept["state_before.mean.hidden1.weight"] + 0.1 * gradient)
        square = kept["state_after.square.hidden1.weight"]
        change = 0.01 * (mean / (1 - 0.9**10)) / ((square / (1 - 0.999**10)).sqrt() + 1e-8)
        torch.testing.assert_close(kept["after.hidden1.weight"], kept["before.hidden1.weight"] - change)


def test_the_time_of_looking_is_counted_apart():
    seconds = train().report["seconds"]
    assert seconds["recording"] > 0
    assert seconds["training"] + seconds["evaluation"] + seconds["recording"] < seconds["total"]
