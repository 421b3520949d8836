"""A training from end to end: the same as a plain loop, the weights that are kept, and everything put back afterwards."""

import contextlib
import signal
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import descend
from descend.errors import TrainingError
from descend.models.folder import load
from descend.record.reader import Reader
from descend.train import fit as fit_room
from descend.train import loop as loop_room
from descend.train.prepare import permutation
from descend.train.schedule import Schedule

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(30, 3)).astype(np.float32)
VALUES = np.tanh(FEATURES @ np.array([1.0, -2.0, 0.5])).astype(np.float32) + 0.25
CLASSES = (VALUES > 0).astype(np.int64)
IMAGES = RANDOM.random((12, 1, 8, 8)).astype(np.float32)

NETS = """
import sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_features, 8), nn.BatchNorm1d(8), nn.Dropout(0.25), nn.Linear(8, out_features))

    def forward(self, x):
        return self.layers(x)

class Third(Net):
    calls = 0

    def forward(self, x):
        if self.training:
            Third.calls += 1
            if Third.calls == 3:
                raise ValueError("odd rows")  # Third
        return super().forward(x)

class Exits(Net):
    def forward(self, x):
        if self.training:
            sys.exit(4)  # Exits
        return super().forward(x)

class Detached(Net):
    def forward(self, x):  # Detached
        return super().forward(x).detach()

class Reshapes(Net):
    def forward(self, x):  # Reshapes
        outputs = super().forward(x)
        return outputs[:-1] if self.training else outputs

class Examined(Net):
    calls = 0

    def forward(self, x):
        Examined.calls += not self.training
        if Examined.calls == 3:
            raise ValueError("odd rows")  # Examined
        return super().forward(x)
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)


def train(data, **settings):
    return descend.train(data, progress=False, **{"epochs": 3, **settings})


def weights(folder):
    return dict(
        load(
            folder, code="nets.py:Net" if "nets.py" in Path(folder, "model.json").read_text() else None
        ).module.state_dict()
    )


def same_bits(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def plain_loop(run, features, targets, outputs):
    """The run's recipe once more, as anybody would write it; the rates are those that the run recorded."""
    recipe = run.recipe
    torch.manual_seed(recipe.seed)
    sizes = (features.shape[1], *recipe.sizes, outputs)
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            model.parameters(), momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay
        )
    else:
        kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
        optimizer = kind(*(model.parameters(), 0.1, (recipe.beta1, recipe.beta2), recipe.epsilon, recipe.weight_decay))
    loss = {
        "mse": nn.MSELoss(),
        "mae": nn.L1Loss(),
        "huber": nn.HuberLoss(),
        "cross-entropy": nn.CrossEntropyLoss(),
        "nll": lambda output, y: nn.functional.nll_loss(output.log_softmax(1), y),
        "binary-cross-entropy": lambda output, y: nn.functional.binary_cross_entropy_with_logits(
            output[:, 0], y.float()
        ),
    }[recipe.loss]
    with run.record() as record:
        rates = iter(record.steps().rate)
    x, y = torch.from_numpy(features), torch.from_numpy(targets)
    y = y if y.dtype == torch.int64 else y.unsqueeze(1)
    size = len(x) if recipe.batch_size == "all" else recipe.batch_size
    losses = []
    for epoch in range(1, recipe.epochs + 1):
        order = permutation(len(x), recipe.seed, epoch) if recipe.shuffle else torch.arange(len(x))
        for rows in order.split(size * recipe.accumulate):
            optimizer.zero_grad()
            losses.append(0.0)
            for batch in rows.split(size):
                share = loss(model(x[batch]), y[batch]) * len(batch) / len(rows)
                share.backward()
                losses[-1] += share.item()
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.step()
    return losses, [parameter.detach() for parameter in model.parameters()]


@pytest.mark.parametrize("gradients", ["auto", "autograd"])
@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("values", {"optimizer": "sgd", "lr": 0.1}),
        ("values", {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "batch_size": "all"}),
        ("values", {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "shuffle": False}),
        ("values", {"loss": "mae", "optimizer": "adamw", "weight_decay": 0.1, "schedule": "one-cycle"}),
        ("values", {"loss": "huber", "optimizer": "adam", "weight_decay": 0.1, "schedule": "cosine"}),
        ("values", {"clip": 0.05, "accumulate": 3, "batch_size": 4}),
        ("classes", {"loss": "cross-entropy", "optimizer": "adam", "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-4}),
        (
            "classes",
            {"loss": "nll", "optimizer": "sgd", "lr": 0.5, "clip": 0.1, "schedule": "step", "schedule_every": 1},
        ),
        ("classes", {"loss": "binary-cross-entropy", "accumulate": 2, "schedule": "plateau"}),
        ("classes", {"sizes": [5, 4], "batch_size": 30, "accumulate": 7}),
    ],
)
def test_a_training_is_the_plain_loop(gradients, task, settings):
    targets = CLASSES if task == "classes" else VALUES
    run = train((FEATURES, targets), **{"sizes": [6], "lr": 0.01, "batch_size": 7, "gradients": gradients, **settings})
    one_output = task == "values" or run.recipe.loss == "binary-cross-entropy"
    losses, parameters = plain_loop(run, FEATURES, targets, 1 if one_output else 2)
    assert run.losses == pytest.approx(losses, rel=2e-5)
    for found, expected in zip(weights(run.path / "model").values(), parameters, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    covered = run.recipe.loss in ("mse", "cross-entropy", "nll")
    assert run.recipe.gradients == ("by-hand" if gradients == "auto" and covered else "autograd")


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ((FEATURES, VALUES), {"model": "linear"}),
        ((FEATURES, CLASSES), {"model": "softmax", "initial": "xavier"}),
        ((FEATURES, CLASSES), {"model": "mlp", "sizes": [9, 5], "activation": "tanh", "initial": "normal"}),
        ((FEATURES, CLASSES), {"model": "mlp", "activation": "sigmoid", "initial": "zeros"}),
        ((IMAGES, CLASSES[:12]), {"model": "cnn"}),
        ((IMAGES, CLASSES[:12]), {"model": "mlp"}),
        ((FEATURES, CLASSES), {"model": "nets.py:Net"}),
        ((FEATURES, VALUES), {"model": "nets.py:Net", "loss": "huber"}),
    ],
)
def test_every_kind_of_model_learns_and_its_folder_can_be_opened(data, settings):
    run = train(data, lr=0.02, epochs=30, batch_size=8, **settings)
    report = run.report
    assert report["train"]["loss"] < report["before"]["train"]["loss"]
    code = "nets.py:Net" if settings["model"] == "nets.py:Net" else None
    assert descend.evaluate(run.path, data, code=code)["loss"] == report["train"]["loss"]
    again = train(data, lr=0.02, epochs=30, batch_size=8, **settings)
    other = train(data, lr=0.02, epochs=30, batch_size=8, seed=1, **settings)
    assert same_bits(weights(run.path / "model"), weights(again.path / "model"))
    assert run.losses == again.losses
    assert not same_bits(weights(run.path / "model"), weights(other.path / "model"))


@pytest.mark.parametrize(
    "kind", [{}, {"schedule": "cosine"}, {"schedule": "one-cycle"}, {"schedule": "step", "schedule_every": 2}]
)
def test_the_rates_that_are_recorded_are_those_of_the_schedule(kind):
    run = train((FEATURES, VALUES), lr=0.02, batch_size=8, epochs=6, **kind)
    expected = Schedule(run.recipe, 4)
    with run.record() as record:
        assert record.steps().rate == [expected.rate(number) for number in range(1, 25)]
    assert [epoch["lr"] for epoch in run.report["epochs"]] == [expected.rate(4 * epoch) for epoch in range(1, 7)]


def test_a_loss_that_stands_still_lowers_the_rate_of_plateau():
    run = train("scores", lr=5e-8, schedule="plateau", schedule_every=2, schedule_factor=0.5, epochs=8)
    with run.record() as record:
        assert record.steps().rate == [5e-8] * 4 + [2.5e-8] * 3 + [1.25e-8]
        assert [(row.step, row.text) for row in record.messages()] == [
            (4, "loss stands still: learning rate lowered to 2.5e-08"),
            (7, "loss stands still: learning rate lowered to 1.25e-08"),
        ]


def test_the_best_weights_are_kept_and_the_last_beside_them():
    settings = {"validation": 0.3, "lr": 0.2, "batch_size": "all", "sizes": [16]}
    noise = RANDOM.integers(0, 2, 30)
    run = train((FEATURES, noise), epochs=10, **settings)
    losses = [epoch["validation"]["loss"] for epoch in run.report["epochs"]]
    best = run.report["best_epoch"]
    assert best == 1 + losses.index(min(losses)) < 10
    assert run.report["validation"]["loss"] == min(losses)
    shorter = train((FEATURES, noise), epochs=best, **settings)
    assert not (shorter.path / "model-last").exists()
    assert same_bits(weights(run.path / "model"), weights(shorter.path / "model"))
    with run.record() as record:
        last = {
            name.removeprefix("after."): value
            for name, value in record.tensors(10).items()
            if name.startswith("after.")
        }
    assert same_bits(weights(run.path / "model-last"), last)
    assert load(run.path / "model-last").description.metrics["validation"]["loss"] == pytest.approx(losses[-1])
    assert load(run.path / "model").description.metrics["validation"]["loss"] == min(losses)


def test_early_stopping_ends_when_the_best_epoch_was_long_ago():
    noise = RANDOM.integers(0, 2, 30)
    run = train((FEATURES, noise), epochs=200, validation=0.3, lr=0.2, batch_size="all", early_stopping=4)
    report = run.report
    assert report["status"] == "stopped early"
    assert len(report["epochs"]) == report["best_epoch"] + 4 < 200
    with run.record() as record:
        text = f"validation loss has not fallen for 4 epochs: stopped, epoch {report['best_epoch']} is kept"
        assert [row.text for row in record.messages()] == [text]


def test_everything_is_put_back_afterwards():
    threads, handlers = (
        torch.get_num_threads(),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    )
    tiny = torch.tensor(1e-38)
    for name, settings in (("line", {"threads": 3}), ("line", {"lr": 1e30}), ("scores", {"model": "nets.py:Exits"})):
        with contextlib.suppress(TrainingError):
            train(name, **settings)
        assert torch.get_num_threads() == threads
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert torch.is_grad_enabled()
        assert tiny.mul(0.01).item() > 0
    torch.set_flush_denormal(True)
    try:
        train("line")
        assert tiny.mul(0.01).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_numbers_taken_for_zero_do_not_move_a_weight(monkeypatch):
    features = RANDOM.normal(size=(1000, 3)).astype(np.float32)
    features[1:, 2] = 0  # the third column has a gradient at the first step alone, and its running mean fades away
    targets = features.sum(1)
    settings = {"batch_size": 1, "shuffle": False, "epochs": 1, "sizes": [4]}
    flushed = train((features, targets), **settings)
    monkeypatch.setattr(fit_room, "_tiny_numbers_as_zero", lambda wanted: contextlib.nullcontext())
    kept = train((features, targets), **settings)
    tiny = []
    for run in (flushed, kept):
        with run.record() as record:
            mean = record.tensors(1000)["state_after.mean.hidden1.weight"]
        tiny.append(((mean != 0) & (mean.abs() < torch.finfo(torch.float32).tiny)).sum().item())
    assert tiny[0] == 0 < tiny[1]
    assert same_bits(weights(flushed.path / "model"), weights(kept.path / "model"))
    assert flushed.losses == kept.losses


def raising(monkeypatch, at, *numbers):
    """Let these signals come in the middle of step ``at``."""
    taken, original = [], loop_room.step

    def step(*arguments):
        taken.append(1)
        original(*arguments)
        for number in numbers if len(taken) == at else ():
            signal.raise_signal(number)

    monkeypatch.setattr(loop_room, "step", step)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_training_after_its_step(monkeypatch, number):
    expected = train("scores", epochs=4)
    raising(monkeypatch, 4, number)
    run = train("scores", epochs=2000)
    assert run.report["status"] == "interrupted"
    assert run.report["steps"] == 4
    assert run.losses == expected.losses
    assert same_bits(weights(run.path / "model"), weights(expected.path / "model"))


def test_a_second_signal_ends_it_at_once(monkeypatch):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who started the tests may have it ignored
    raising(monkeypatch, 4, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train("scores", epochs=2000)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with Reader("runs/scores-1") as record:
        report = record.info.report
        assert record.status == report["status"] == "interrupted"
        assert report["message"] == "asked a second time to stop, it stopped at once, and kept no model"
    assert not Path("runs/scores-1/model").exists()


def test_a_training_runs_in_any_thread():
    runs = []
    thread = threading.Thread(target=lambda: runs.append(train("scores")))
    thread.start()
    thread.join()
    assert runs[0].report["status"] == "finished"


@pytest.mark.parametrize(
    ("name", "steps", "what", "help"),
    [
        ("Third", 2, " raised an error in step 3: ValueError: odd rows", "--pause 2 opens"),
        ("Exits", 0, " ended the program in step 1", "take the call that exits out of forward"),
        ("Detached", 0, "'s gradients cannot be computed in step 1: RuntimeError: element 0", "look in forward for"),
        ("Reshapes", 0, "'s outputs do not fit the labels in step 1: ", "forward has to return the same shape"),
        ("Examined", 0, " raised an error when it was examined before the first step: ", "correct that line"),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_model_that_fails_on_the_way_is_told_with_its_line(name, steps, what, help):
    with pytest.raises(TrainingError) as caught:
        train((FEATURES, VALUES), test=(FEATURES, VALUES), model=f"nets.py:{name}", batch_size="all")
    assert caught.value.what.startswith(f"your model{what}")
    line = next(number for number, text in enumerate(NETS.splitlines(), 1) if text.endswith(f"# {name}"))
    assert caught.value.where == f"nets.py:{line} in forward"
    assert caught.value.help.startswith(help)
    assert caught.value.exit_status == 1
    with Reader("runs/arrays-1") as record:
        assert record.status == "failed"
        assert record.info.report["message"] == caught.value.what
        assert record.info.title.startswith("arrays · 30 rows")
        assert record.steps().step == list(range(1, steps + 1))
    assert not Path("runs/arrays-1/model").exists()


def test_memory_that_does_not_suffice_is_told(monkeypatch):
    def step(*arguments):
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr(loop_room, "step", step)
    with pytest.raises(TrainingError, match="the device ran out of memory in step 1") as caught:
        train("scores")
    assert "take a smaller --batch-size or model" in caught.value.help
