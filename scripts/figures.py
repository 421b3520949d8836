"""Train the five trainings of docs/figures.md anew and write what came out into that page, between its markers.

Usage: python scripts/figures.py [NAME …]   (softmax, line, mnist, scores, scores-two, layers; all of them where no name is given)

The text depends on the numbers alone: on one machine and build of PyTorch it comes out the same every time. Takes some minutes.
"""

import functools
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from pages import DOCS, replaced, table
from torch import Tensor, nn

import descend
from descend.data import builtin
from descend.numerics.least_squares import curvature, largest_stable_rate
from descend.train.by_hand import MeanSquaredError

PAGE = DOCS / "figures.md"
NEW_HOURS = (5.0, 7.0, 9.0)

SCORES_BY_HAND = [  # losses at epoch 100, 200, … 2,000 as published
    *(412.0172, 202.6555, 100.2602, 50.1801, 25.6868, 13.7074, 7.8486, 4.9831, 3.5816, 2.8962),
    *(2.5609, 2.3970, 2.3168, 2.2775, 2.2584, 2.2490, 2.2444, 2.2421, 2.2411, 2.2405),
]
SCORES_BY_AUTOGRAD = [2.2776 if loss == 2.2775 else 2.2422 if loss == 2.2421 else loss for loss in SCORES_BY_HAND]
SCORES_TWO = {  # layout → losses by epoch, as published
    "reshape": {100: 186.2492, 500: 97.2796, 1000: 52.4427, 2000: 30.6277, 3000: 27.8283},
    "rows": {1000: 11.3965, 5000: 6.4945},
}

Train = Callable[..., descend.Run]


def percent(share: float) -> str:
    """``97.58 %``"""
    return f"{100 * share:.2f} %"


def signed(value: float, digits: int) -> str:
    """A number with a real minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def shown(tensor: Tensor, digits: int = 4) -> str:
    """A small tensor as nested lists."""

    def text(value: object) -> str:
        return (
            f"[{', '.join(map(text, value))}]" if isinstance(value, list) else f"{value:.{digits}f}".replace("-", "−")
        )

    return text(tensor.tolist())


def values_of(run: descend.Run) -> list[float]:
    """Every parameter of a small model at the end, weights first."""
    return [value for parameter in run.report["parameters"] for value in parameter["values"]]


def softmax(train: Train) -> str:
    """Loss and accuracy on the test digits before and after, for three seeds."""
    rows = []
    for seed in range(3):
        report = train("mnist-softmax", seed=seed).report
        before, after = report["before"]["test"], report["test"]
        losses = f"{before['loss']:.3f}", f"{after['loss']:.3f}"
        rows.append([f"seed {seed}", losses[0], percent(before["accuracy"]), losses[1], percent(after["accuracy"])])
    rows.append(["published", "", "", "", "91.2–91.3 %"])
    return table(["", "loss before", "right before", "loss after", "right after"], rows, numbers=True)


def line(train: Train) -> str:
    """Where six seeds begin and end, and how many of two thousand come near the line."""
    rows = []
    for seed in range(6):
        run = train("line", seed=seed)
        with run.record() as record:
            start = record.tensors(1)
        w, b = float(start["before.output.weight"]), float(start["before.output.bias"])
        end_w, end_b = values_of(run)
        rows.append(
            [
                f"seed {seed}",
                f"{signed(w, 3)}, {signed(b, 3)}",
                f"{run.losses[0]:.4f}",
                f"{signed(end_w, 3)}, {signed(end_b, 3)}",
                f"{run.losses[-1]:.4f}",
            ]
        )
    rows.append(["one published run", "1.803, −0.394", "2.0255", "1.975, 1.007", "0.0100"])
    header = ["", "W, b before", "first loss", "W, b after", "last loss"]
    share = share_near_the_line(seeds=2000)
    return (
        f"{table(header, rows, numbers=True)}\n\n"
        f"The line behind the points is W = 2, b = 1. Of the seeds 0 to 1,999, {100 * share:.0f} % end with both values within 0.05 of it."
    )


def share_near_the_line(seeds: int) -> float:
    """How many of so many seeds end with W and b within 0.05 of the line; all are trained side by side, in float64."""
    drawn = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        dataset = builtin.load("line", seed=seed)
        drawn.append((dataset.train.features, dataset.train.targets, torch.randn(1, 1), torch.randn(1, 1)))
    x, y, w, b = (torch.stack(part).double() for part in zip(*drawn, strict=True))  # (S, 10, 1) twice, (S, 1, 1) twice
    for _ in range(200):
        error = x * w + b - y  # (S, 10, 1)
        w, b = w - 0.02 * (x * error).mean(1, keepdim=True), b - 0.02 * error.mean(1, keepdim=True)
    near = ((w - 2).abs() < 0.05) & ((b - 1).abs() < 0.05)
    return float(near.double().mean())


def mnist(train: Train) -> str:
    """Test accuracy of eight seeds."""
    reports = [train("mnist", seed=seed).report for seed in range(8)]
    rows = [
        [
            f"seed {seed}",
            percent(report["before"]["test"]["accuracy"]),
            percent(report["epochs"][0]["test"]["accuracy"]),
            percent(report["test"]["accuracy"]),
            f"{report['test']['loss']:.4f}",
            f"{report['train']['loss']:.4f}",
        ]
        for seed, report in enumerate(reports)
    ]
    shares = [report["test"]["accuracy"] for report in reports]
    mean = sum(shares) / len(shares)
    header = ["", "right before", "after epoch 1", "after epoch 10", "test loss", "training loss"]
    return (
        f"{table(header, rows, numbers=True)}\n\n"
        f"Mean of the eight: {percent(mean)} of the test digits, from {percent(min(shares))} to {percent(max(shares))}. "
        "Published: 97.58 % from one run, and 97.45 % to 97.91 % from eight seeds."
    )


def scores(train: Train) -> str:
    """Losses, parameters and predictions of both ways to the gradients, beside the published ones."""
    by_hand, autograd = (train("scores", gradients=way) for way in ("by-hand", "autograd"))
    header = ["epoch", "by hand, published", "by hand", "autograd, published", "autograd"]
    rows: list[list[str]] = [
        [
            f"{epoch:,}",
            f"{one:.4f}",
            f"{by_hand.losses[epoch - 1]:.4f}",
            f"{other:.4f}",
            f"{autograd.losses[epoch - 1]:.4f}",
        ]
        for epoch, one, other in zip(range(100, 2001, 100), SCORES_BY_HAND, SCORES_BY_AUTOGRAD, strict=True)
    ]
    (w, b), (other_w, other_b) = values_of(by_hand), values_of(autograd)
    rows.append(["w", "3.007255792617798", str(w), "3.007255792617798", str(other_w)])
    rows.append(["b", "69.3470", f"{b:.4f}", "69.3470", f"{other_b:.4f}"])
    predictions = [run.model().predict(torch.tensor([NEW_HOURS]).t()).flatten().tolist() for run in (by_hand, autograd)]
    for hours, published, one, other in zip(NEW_HOURS, (84.3833, 90.3978, 96.4123), *predictions, strict=True):
        rows.append(
            [f"score for {hours:g} hours", f"{published:.4f}", f"{one:.4f}", f"{published:.4f}", f"{other:.4f}"]
        )
    return table(header, rows, numbers=True)


def scores_two(train: Train) -> str:
    """Losses of both layouts beside the published ones, and what the curvature says about them."""
    parts = []
    for layout, published in SCORES_TWO.items():
        run = train("scores-two", layout=layout)
        features, targets = (tensor.double() for tensor in examples_of(layout))
        rows = [
            [f"{epoch:,}", f"{published[epoch]:.4f}" if epoch in published else "", f"{run.losses[epoch - 1]:.4f}"]
            for epoch in (100, 500, 1000, 2000, 3000, 4000, 5000)
        ]
        *weights, b = values_of(run)
        ours = f"{weights[0]:.4f}, {weights[1]:.4f}, {b:.4f}"
        rows.append(["w, w, b", "1.8086, 1.9646, 62.2669" if layout == "reshape" else "", ours])
        best, floor = least_squares(features, targets)
        steep = curvature(features)
        curvatures = ", ".join(f"{each:.4g}" if each < 1 else f"{each:.3f}" for each in steep.tolist())
        parts.append(
            f"`--layout {layout}`{', the default' if layout == 'rows' else ''}:\n\n"
            f"{table(['epoch', 'published', 'ours'], rows, numbers=True)}\n\n"
            f"The lowest loss there is: {floor:.4f}, at w = {best[0]:.4f}, {best[1]:.4f} and b = {best[2]:.4f}. "
            f"Eigenvalues of the Hessian, the curvature in each direction: {curvatures}. The steepest direction allows learning "
            f"rates below {largest_stable_rate(features):.6f}, and is {float(steep[-1] / steep[0]):,.0f} times as steep as the "
            "flattest."
        )
    return "\n\n".join(parts)


def examples_of(layout: str) -> tuple[Tensor, Tensor]:
    """Features (5, 2) and targets (5, 1) of scores-two."""
    examples = builtin.load("scores-two", layout=layout).train
    return examples.features, examples.targets


def least_squares(features: Tensor, targets: Tensor) -> tuple[list[float], float]:
    """The weights and bias at which the mean squared error is least, and that error."""
    x = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    best = torch.linalg.lstsq(x, targets).solution  # (in + 1, 1)
    return best.flatten().tolist(), float((x @ best - targets).square().mean())


def layers(train: Train) -> str:
    """A gradient of a mean, and every gradient of a small network, by closed forms and by autograd."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    mean = (x**2 + 3).mean()
    mean.backward()
    assert x.grad is not None
    square = MeanSquaredError(x.detach())
    mean_by_hand = square.forward(x.detach(), torch.zeros(2, 2)) + 3
    gradient_by_hand = square.backward() * square.scale  # the constant 3 adds nothing to it

    inputs, target = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0]])
    torch.manual_seed(0)
    network = nn.Sequential(
        OrderedDict(hidden1=nn.Linear(3, 2), relu1=nn.ReLU(), output=nn.Linear(2, 1))  # named as descend names them
    )
    prediction = network(inputs)  # (1, 1)
    loss = nn.functional.mse_loss(prediction, target)
    loss.backward()
    with train((inputs, target), model="mlp", sizes=[2], epochs=1, seed=0, gradients="by-hand").record() as record:
        kept = record.tensors(1)

    rows = [
        ["mean of x² + 3", "", shown(mean_by_hand, 1), shown(mean, 1)],
        ["its gradient by x", "[[0.5, 1], [1.5, 2]]", shown(gradient_by_hand, 1), shown(x.grad, 1)],
        ["two units after ReLU", "one is dead", shown(kept["output.relu1"]), shown(network[:2](inputs))],
        ["prediction", "−0.2039", shown(kept["output.output"]), shown(prediction)],
        ["squared error", "104.11864", shown(kept["loss"], 5), shown(loss, 5)],
    ]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        rows.append([f"gradient of {name}", "", shown(kept[f"gradient.{name}"]), shown(parameter.grad)])
    return table(["", "published", "by hand", "autograd"], rows, numbers=True)


BLOCKS: Mapping[str, Callable[[Train], str]] = {
    "softmax": softmax,
    "line": line,
    "mnist": mnist,
    "scores": scores,
    "scores-two": scores_two,
    "layers": layers,
}


def main(names: Sequence[str]) -> None:
    """Train, and write each part of the page as soon as its numbers are there."""
    unknown = [name for name in names if name not in BLOCKS]
    if unknown:
        sys.exit(f"there is no part '{unknown[0]}'; there are {', '.join(BLOCKS)}")
    for name in names or BLOCKS:
        with tempfile.TemporaryDirectory() as folder:
            text = BLOCKS[name](functools.partial(descend.train, device="cpu", progress=False, runs=folder))
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        print(f"{name}:\n\n{text}\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
