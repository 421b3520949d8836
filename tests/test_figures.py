"""The five trainings of docs/figures.md give the figures they were published with, and those of plain loops."""

import gzip
import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import descend
from descend.data import builtin
from descend.models.build import layers_of
from descend.numerics.least_squares import curvature, largest_stable_rate
from descend.train import prepare
from descend.train.by_hand import MeanSquaredError, Stack
from descend.train.choices import Machine

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
MNIST = ROOT / "src" / "descend" / "data" / "mnist"

SCORES_LOSSES = {  # printed every 100 epochs
    "by-hand": "412.0172 202.6555 100.2602 50.1801 25.6868 13.7074 7.8486 4.9831 3.5816 2.8962 "
    "2.5609 2.3970 2.3168 2.2775 2.2584 2.2490 2.2444 2.2421 2.2411 2.2405",
    "autograd": "412.0172 202.6555 100.2602 50.1801 25.6868 13.7074 7.8486 4.9831 3.5816 2.8962 "
    "2.5609 2.3970 2.3168 2.2776 2.2584 2.2490 2.2444 2.2422 2.2411 2.2405",
}
HOURS, SLEPT = torch.tensor([2.0, 4, 6, 8, 10]), torch.tensor([6.0, 7, 8, 7.5, 8])
POINTS = torch.tensor([75.0, 80, 90, 94, 98])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Without a GPU, and on one thread, as descend chooses for products this small: so the plain loops add up in its order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "this_machine", lambda: Machine(cuda=False, mps=False, cores=1))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("runs"))


def values_of(run: descend.Run) -> list[float]:
    """Every parameter at the end, weights first."""
    return [value for parameter in run.report["parameters"] for value in parameter["values"]]


# 4: scores from hours studied


@pytest.fixture(scope="module", params=["by-hand", "autograd"])
def scores(request: pytest.FixtureRequest, runs: str) -> descend.Run:
    return descend.train("scores", gradients=request.param, name=f"scores-{request.param}", progress=False, runs=runs)


def test_scores_begin_with_the_published_values(scores: descend.Run) -> None:
    with scores.record() as record:
        start = record.tensors(1)
    w, b = start["before.output.weight"], start["before.output.bias"]
    assert (f"{w.item():.4f}", f"{b.item():.4f}") == ("0.3367", "0.1288")


def test_scores_losses_are_the_published_ones_to_the_last_digit(scores: descend.Run) -> None:
    assert len(scores.losses) == 2000
    printed = [f"{loss:.4f}" for loss in scores.losses[99::100]]
    assert printed == SCORES_LOSSES[scores.recipe.gradients].split()


def test_scores_end_with_the_published_line_and_predictions(scores: descend.Run) -> None:
    w, b = values_of(scores)
    assert w == 3.007255792617798
    assert f"{b:.4f}" == "69.3470"
    predicted = scores.model().predict(torch.tensor([[5.0], [7.0], [9.0]]))
    assert [f"{score:.4f}" for score in predicted.flatten().tolist()] == ["84.3833", "90.3978", "96.4123"]


def test_every_loss_of_scores_is_that_of_a_plain_loop_bit_for_bit(scores: descend.Run) -> None:
    x, y = HOURS.unsqueeze(1), POINTS.unsqueeze(1)  # (5, 1), (5, 1)
    torch.manual_seed(42)
    w, b = torch.randn(1, 1), torch.randn(1)
    by_hand = scores.recipe.gradients == "by-hand"
    losses = []
    for _ in range(2000):
        w, b = w.detach().requires_grad_(not by_hand), b.detach().requires_grad_(not by_hand)
        error = x @ w + b - y  # (5, 1)
        loss = (error**2).mean()
        losses.append(loss.item())
        dw, db = (2 / 5 * (x.t() @ error), 2 / 5 * error.sum(0)) if by_hand else torch.autograd.grad(loss, (w, b))
        w, b = w - 0.01 * dw, b - 0.01 * db
    assert scores.losses == losses
    assert values_of(scores) == [w.item(), b.item()]


# 4: two features


@pytest.mark.parametrize(
    ("layout", "gradients"), [("reshape", "by-hand"), ("reshape", "autograd"), ("rows", "by-hand")]
)
def test_two_features_give_the_published_losses(layout: str, gradients: str, runs: str) -> None:
    run = descend.train("scores-two", layout=layout, gradients=gradients, progress=False, runs=runs)
    assert len(run.losses) == 5000
    published = {
        "reshape": {100: 186.2492, 500: 97.2796, 1000: 52.4427, 2000: 30.6277, 3000: 27.8283},
        "rows": {1000: 11.3965, 5000: 6.4945},
    }[layout]
    for epoch, loss in published.items():
        assert run.losses[epoch - 1] == pytest.approx(loss, abs=2e-4)
    if layout == "reshape":
        assert values_of(run) == pytest.approx([1.8086, 1.9646, 62.2669], abs=2e-4)
    else:
        assert run.losses[-1] < run.losses[-100]  # still falling


def test_two_features_begin_with_the_published_values(runs: str) -> None:
    with descend.train("scores-two", epochs=1, progress=False, runs=runs).record() as record:
        start = record.tensors(1)
    drawn = [*start["before.output.weight"].flatten().tolist(), start["before.output.bias"].item()]
    assert [f"{value:.4f}" for value in drawn] == ["0.3367", "0.1288", "0.2345"]


@pytest.mark.parametrize(
    ("layout", "floor", "best", "eigenvalues", "limit", "condition"),
    [
        ("reshape", 27.4162, None, [0.1026, 5.090, 192.507], 0.010389, 1876),
        ("rows", 1.3084, [2.4484, 2.4516, 54.8129], [0.00832, 6.230, 191.462], 0.010446, 23021),
    ],
)
def test_curvature_of_two_features(
    layout: str, floor: float, best: list[float] | None, eigenvalues: list[float], limit: float, condition: int
) -> None:
    examples = builtin.load("scores-two", layout=layout).train
    x = np.column_stack([examples.features.double().numpy(), np.ones(5)])
    solution, squares, *_ = np.linalg.lstsq(x, POINTS.double().numpy(), rcond=None)
    assert squares[0] / 5 == pytest.approx(floor, abs=5e-5)
    if best is not None:
        assert list(solution) == pytest.approx(best, abs=5e-5)

    steep = curvature(examples.features)
    assert steep.tolist() == pytest.approx(eigenvalues, rel=5e-4)
    assert float(steep[-1] / steep[0]) == pytest.approx(condition, rel=5e-4)
    assert largest_stable_rate(examples.features) == pytest.approx(limit, abs=5e-7)


@pytest.mark.parametrize("layout", ["rows", "reshape"])
def test_the_loss_falls_below_the_largest_stable_rate_and_grows_above_it(layout: str, runs: str) -> None:
    limit = largest_stable_rate(builtin.load("scores-two", layout=layout).train.features)
    below, above = (
        descend.train("scores-two", layout=layout, lr=share * limit, epochs=300, progress=False, runs=runs).losses
        for share in (0.99, 1.01)
    )
    assert below[-1] < below[0] / 10
    assert above[-1] > above[0] * 1000


# 3: MNIST, two layers


def mnist(part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 784) in 0..1 and digits (N,), read without descend."""
    images = gzip.decompress((MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes())
    digits = gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = torch.from_numpy(np.frombuffer(images, np.uint8, offset=16).copy()).view(-1, 784)
    return pixels.float() / 255, torch.from_numpy(np.frombuffer(digits, np.uint8, offset=8).astype(np.int64))


@pytest.fixture(scope="module")
def two_layers(runs: str) -> descend.Run:
    return descend.train("mnist", epochs=2, progress=False, runs=runs)


def test_two_layers_read_more_than_95_of_100_digits_after_two_epochs(two_layers: descend.Run) -> None:
    report = two_layers.report
    assert report["rows"] == {"train": 60_000, "validation": 0, "test": 10_000}
    assert report["before"]["test"]["accuracy"] < 0.2
    assert report["test"]["accuracy"] > 0.95
    assert report["test"]["accuracy"] > report["epochs"][0]["test"]["accuracy"]


def test_two_layers_give_the_losses_of_a_plain_loop_over_the_first_epoch(two_layers: descend.Run) -> None:
    x, y = mnist("train")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    losses = []
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0 * 1_000_003 + 1))  # (seed, epoch)
    for rows in order.split(64):
        loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert two_layers.losses[:938] == losses

    x, y = mnist("t10k")
    with torch.no_grad():
        right = (network(x).argmax(1) == y).sum().item()
    assert two_layers.report["epochs"][0]["test"]["accuracy"] == right / 10_000


def test_the_page_holds_the_eight_seeds_of_two_layers() -> None:
    table = block("mnist")
    rows = re.findall(r"^\| seed \d .*\| (\d\d\.\d\d) % \| \d\.\d+ \| \d\.\d+ \|$", table, re.MULTILINE)
    shares = [float(row) for row in rows]
    assert len(shares) == 8
    assert min(shares) >= 97.3
    assert sum(shares) / 8 >= 97.5
    assert f"{sum(shares) / 8:.2f} %" in table


# 1: softmax regression on MNIST


def test_softmax_regression_reads_at_least_91_of_100_digits(runs: str) -> None:
    run = descend.train("mnist-softmax", progress=False, runs=runs)
    assert run.report["test"]["accuracy"] >= 0.91
    assert run.report["before"]["test"]["accuracy"] < 0.2

    x, y = mnist("train")
    torch.manual_seed(0)
    weights, bias = (torch.randn(784, 10) / math.sqrt(784)).requires_grad_(), torch.zeros(10, requires_grad=True)
    losses = []
    for start in range(0, 60_000, 64):
        logits = x[start : start + 64] @ weights + bias  # (B, 10)
        log_p = logits - logits.exp().sum(1, keepdim=True).log()  # as published: the maximum is not taken off
        loss = -log_p[range(len(log_p)), y[start : start + 64]].mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            assert weights.grad is not None
            assert bias.grad is not None
            weights -= 0.5 * weights.grad
            bias -= 0.5 * bias.grad
            weights.grad.zero_()
            bias.grad.zero_()
    assert run.losses[:938] == pytest.approx(losses, rel=5e-6)


# 2: a line through ten noisy points


def plain_line(seed: int, *, by_hand: bool) -> tuple[list[float], float, float]:
    torch.manual_seed(seed)
    x = torch.randn(10, 1)
    y = x @ torch.tensor([[2.0]]) + torch.tensor(1.0) + torch.randn(10, 1) * 0.1
    w, b = torch.randn(1, 1, requires_grad=not by_hand), torch.randn(1, requires_grad=not by_hand)
    losses = []
    for _ in range(200):
        error = x @ w + b - y  # (10, 1)
        loss = torch.mean(error**2)
        losses.append(loss.item())
        if by_hand:
            w.grad, b.grad = 2 / 10 * (x.t() @ error), 2 / 10 * error.sum(0)
        else:
            loss.backward()
        assert w.grad is not None
        assert b.grad is not None
        with torch.no_grad():
            w -= 0.01 * w.grad
            b -= 0.01 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    return losses, w.item(), b.item()


@pytest.mark.parametrize("gradients", ["autograd", "by-hand"])
@pytest.mark.parametrize("seed", [0, 1, 2, 7, 42, 123_456])
def test_a_line_is_that_of_a_plain_loop_bit_for_bit(seed: int, gradients: str, runs: str) -> None:
    run = descend.train("line", seed=seed, gradients=gradients, progress=False, runs=runs)
    losses, w, b = plain_line(seed, by_hand=gradients == "by-hand")
    assert run.losses == losses
    assert values_of(run) == [w, b]


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 42, 123_456])
def test_a_line_by_hand_and_one_by_autograd_differ_by_rounding_alone(seed: int, runs: str) -> None:
    run = descend.train("line", seed=seed, gradients="by-hand", progress=False, runs=runs)
    losses, w, b = plain_line(seed, by_hand=False)
    assert values_of(run) == pytest.approx([w, b], rel=1e-6)
    # A late loss is the mean square of small differences of larger numbers, which are rounded as coarsely as at first.
    assert run.losses == pytest.approx(losses, rel=1e-6, abs=1e-6 * losses[0])


# 5: tensors, autograd and layers


def test_the_gradient_of_a_mean_of_squares() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x**2 + 3).mean().backward()
    by_hand = MeanSquaredError(x.detach())
    mean = by_hand.forward(x.detach(), torch.zeros(2, 2)) + 3
    assert mean.item() == 10.5
    expected = torch.tensor([[0.5, 1.0], [1.5, 2.0]])
    torch.testing.assert_close(by_hand.backward() * by_hand.scale, expected, rtol=0, atol=0)
    torch.testing.assert_close(x.grad, expected, rtol=0, atol=0)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_two_layers_on_one_example(gradients: str, runs: str) -> None:
    x, y = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0]])
    run = descend.train(
        (x, y), model="mlp", sizes=[2], epochs=1, seed=0, gradients=gradients, progress=False, runs=runs
    )
    assert run.losses == [pytest.approx(104.11864, rel=1e-6)]

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    prediction = network(x)
    nn.functional.mse_loss(prediction, y).backward()
    assert prediction.item() == pytest.approx(-0.2039, abs=5e-5)
    with run.record() as record:
        kept = record.tensors(1)
    names = ("hidden1.weight", "hidden1.bias", "output.weight", "output.bias")
    for name, parameter in zip(names, network.parameters(), strict=True):
        torch.testing.assert_close(kept[f"gradient.{name}"], parameter.grad, rtol=1e-6, atol=0)
    dead = (network[:2](x) == 0).flatten()
    assert dead.sum() == 1
    assert (kept["gradient.hidden1.weight"][dead] == 0).all()
    assert (kept["gradient.hidden1.weight"][~dead] != 0).all()


def test_two_layers_on_one_example_through_the_closed_forms() -> None:
    x, y = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0]])
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    gradients = [torch.empty_like(parameter) for parameter in network.parameters()]
    places = {id(parameter): place for parameter, place in zip(network.parameters(), gradients, strict=True)}
    layers = layers_of(network)
    assert layers is not None
    stack = Stack(layers, "mse", places, rows=1)
    with torch.no_grad():
        prediction = stack.forward(x)
        loss = stack.loss.forward(prediction, y)
        stack.backward()
    assert f"{prediction.item():.4f}" == "-0.2039"
    assert loss.item() == pytest.approx(104.11864, rel=1e-6)
    assert (gradients[-1] * stack.loss.scale).item() == pytest.approx(2 * (prediction.item() - 10), rel=1e-6)


# The page and the script that writes it


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("figures")


def block(name: str) -> str:
    """What stands in the page between the markers of ``name``."""
    found = re.search(rf"<!-- begin {name}: [^>]*-->\n\n(.+?)\n\n<!-- end {name} -->", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("way", ["by-hand", "autograd"])
def test_the_page_prints_the_published_losses_of_scores(way: str) -> None:
    rows = [re.split(r" *\| *", row.strip("| ")) for row in block("scores").splitlines()]
    column = 1 if way == "by-hand" else 3
    printed = [row for row in rows if re.fullmatch(r"[12]?,?\d00", row[0])]
    assert [row[column] for row in printed] == SCORES_LOSSES[way].split()
    assert [row[column + 1] for row in printed] == SCORES_LOSSES[way].split()


def test_the_page_has_every_part_and_each_is_written_by_the_script(script: ModuleType) -> None:
    assert set(re.findall(r"<!-- begin ([\w-]+):", PAGE)) == set(script.BLOCKS)
    assert all(len(block(name)) > 100 for name in script.BLOCKS)


def test_the_smallest_part_of_the_page_comes_out_of_the_script_as_it_stands(script: ModuleType, runs: str) -> None:
    assert script.layers(
        lambda *data, **settings: descend.train(*data, progress=False, runs=runs, **settings)
    ) == block("layers")


def test_the_script_replaces_one_part_and_leaves_the_others(script: ModuleType) -> None:
    page = script.replaced(PAGE, "line", r"new \1 text")
    assert page == PAGE.replace(block("line"), r"new \1 text")
    assert script.replaced(page, "line", block("line")) == PAGE


def test_the_script_names_a_part_it_does_not_know(script: ModuleType) -> None:
    with pytest.raises(
        SystemExit, match="there is no part 'mnst'; there are softmax, line, mnist, scores, scores-two, layers"
    ):
        script.main(["mnst"])
    with pytest.raises(SystemExit, match="the page has no markers for 'line'"):
        script.replaced("# an empty page", "line", "text")
