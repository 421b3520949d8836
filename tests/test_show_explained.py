"""How a step is shown that was worked out: its words, at every width, and none of a record's characters taken for markup."""

import io
import math

import pytest
from rich.console import Console

from descend.show.explained import explained
from descend.show.operations import shown_operations
from descend.show.shown import Shown


def operation(name="linear", module="fc1", **changes):
    found = {
        "name": name,
        "module": module,
        "file": "/home/u/train.py",
        "line": 7,
        "source": "",
        "followed": True,
        "formula": "z = x·Wᵀ + b",
        "why": "",
        "inputs": ["x", f"{module}.weight", f"{module}.bias"],
        "shape": [5, 1],
        "dtype": "float32",
        "values": [0.8022, 1.4756, 2.149, 2.8223, 3.4957],
        "entry": "2·0.3367 + 0.1288 = 0.8022",
    }
    return found | changes


def worked(**changes):
    """A step as ``work_out`` gives it."""
    link = {"name": "linear", "module": "fc1", "by": "fc1.weight", "derivative": "∂L/∂W = (∂L/∂z)ᵀ·x"}
    found = {
        "run": "scores-1",
        "kind": "train",
        "step": 1,
        "parameter": "fc1.weight",
        "row": 0,
        "notes": [],
        "data": [{"name": "x", "shape": [5, 1], "dtype": "float32", "values": [2, 4, 6, 8, 10]}],
        "forward": [operation()],
        "loss": {
            "value": 7326.7,
            "passes": [7326.7],
            "recorded": 7326.7,
            "name": "mse_loss",
            "rows": 5,
            "term": {"row": 0, "value": 5505.3, "text": "(0.8022 − 75)² = 5,505.3"},
        },
        "backward": [link | {"entry": "−29.68·2 − … − 37.80·10 = −1,065.6", "why": ""}],
        "gradients": [
            {"parameter": "fc1.weight", "shape": [1, 1], "norm": 1065.6, "agrees": True, "digits": 7, "why": ""}
        ],
        "verdict": {
            "entry": [0, 0],
            "value": -1065.6,
            "by": "autograd",
            "line": "closed form ✓ differences ✓ (agree to 7 digits)",
            "agrees": True,
            "digits": 7,
        },
        "update": {
            "optimizer": "SGD",
            "entry": [0, 0],
            "old": 0.3367,
            "gradient": -1065.6,
            "recorded": 10.993,
            "shown": ["0.3367", "10.993"],
            "lines": ["θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993"],
            "new": 10.993,
            "agrees": True,
            "why": "",
        },
        "zero": {"cleared": 2, "seen": True, "written_anew": False},
        "landscape": {
            "directions": 2,
            "eigenvalues": [0.357, 89.64],
            "condition": 251.1,
            "largest_stable_lr": 0.02231,
            "floor": 2.24,
            "lr": 0.01,
            "stable": True,
            "close": 2.262,
            "epochs_now": 1472,
            "epochs_standardised": 0,
            "standardised_lr": 0.5,
        },
        "curvature": None,
    }
    return found | changes


def shown(step, width=100):
    with io.StringIO() as page:
        console = Console(width=width, file=page, no_color=True, highlight=False, markup=False)
        explained(step, console)
        return page.getvalue()


def words(step, width=120):
    """Without line breaks."""
    return " ".join(shown(step, width).split())


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    step = worked(forward=[operation(module="a" * 60, formula="z = " + "x·" * 80)] * 3, notes=["a note " * 30])
    for line in shown(step, width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_every_phase_has_its_place():
    labels = [line[:10].strip() for line in shown(worked()).splitlines() if line[:10].strip() and line[:4] != "step"]
    assert labels == ["data", "forward", "loss", "backward", "update", "zero", "landscape", "in words"]


def test_the_story_of_the_scores():
    said = words(worked())
    for part in (
        "step 1 of scores-1 · followed: row 0, fc1.weight[0, 0]",
        "x (5, 1) float32 2 4 6 8 10",
        "fc1 · linear (x, fc1.weight, fc1.bias) → (5, 1) 0.8022 1.476 2.149 2.822 3.496 line 7",
        "z = x·Wᵀ + b 2·0.3367 + 0.1288 = 0.8022",
        "L = 7,326.7 in float64; the run recorded 7,326.7",
        "row 0: (0.8022 − 75)² = 5,505.3 one of 5 rows",
        "∂L/∂fc1.weight[0, 0] = −1,065.6 autograd · closed form ✓ differences ✓ (agree to 7 digits)",
        "fc1.weight (1, 1) 1,065.6 ✓ to 7 digits",
        "θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993 in the run: 0.3367 → 10.993 ✓",
        "2 gradients cleared in this step",
        "the Hessian's eigenvalues are 0.357, 89.64, its condition number is 251.1.",
        "the largest stable learning rate is 2/λmax = 0.02231. lr 0.01 is 45 % of it.",
        "At this rate the loss comes within 1 % of that, to 2.262, after 1,472 epochs;",
        "raising fc1.weight[0, 0] a little lowers the loss. The update moved it by 10.66, downhill.",
    ):
        assert part in said


def test_every_minus_is_a_minus():
    assert "-" not in shown(worked(run="scores"))


def test_a_disagreement_is_shown():
    step = worked()
    step["gradients"][0] |= {"agrees": False, "digits": 0, "why": "it was not cleared"}
    step["verdict"] |= {"agrees": False, "line": "they disagree: shown 2 · closed form ✗ gives 3 differences ✓"}
    step["update"] |= {"agrees": False}
    said = words(step)
    assert "1,065.6 ✗ to 0 digits; it was not cleared" in said
    assert "they disagree: shown 2 · closed form ✗ gives 3" in said
    assert "in the run: 0.3367 → 10.993 ✗ another value" in said


def test_several_backward_passes():
    step = worked(notes=["The gradients of 2 backward passes add up."])
    step["loss"] |= {"passes": [1.0, 3.0], "value": 4.0, "recorded": 2.0, "term": None}
    step["verdict"] |= {"parts": [-1000.0, -65.6]}
    said = words(step)
    assert "L = 1 + 3 = 4 in float64; the run recorded their mean, 2" in said
    assert "= −1,000 − 65.6 → −1,065.6" in said


@pytest.mark.parametrize(
    ("zero", "said"),
    [
        ({"cleared": 0, "seen": False}, "no gradient was seen to be cleared in this step"),
        ({"cleared": 0, "seen": True}, "no gradient was there to be cleared in this step"),
        ({"cleared": 0, "seen": True, "written_anew": True}, "the next step computes every gradient anew"),
    ],
)
def test_what_was_cleared(zero, said):
    assert said in words(worked(zero=zero))


@pytest.mark.parametrize(
    ("curvature", "said"),
    [
        (
            {"value": 20.0, "converged": True, "products": 7, "largest_stable_lr": 0.1, "lr": 0.05, "plain": True},
            (
                "has the curvature λmax = 20 (7 products with the Hessian). Plain gradient descent on it is stable below"
                " 2/λmax = 0.1. lr 0.05 is 50 % of it."
            ),
        ),
        (
            {"value": 20.0, "converged": False, "products": 1, "largest_stable_lr": 0.1, "lr": 0.05, "plain": True},
            (
                "λmax = at least 20 (after 1 product, when time was up). Plain gradient descent on it is stable below"
                " 2/λmax = at most 0.1."
            ),
        ),
        (
            {"value": 20.0, "converged": True, "products": 7, "largest_stable_lr": 0.1, "lr": 0.05, "plain": False},
            "Momentum and weight decay move that limit.",
        ),
        (
            {"value": -0.5, "converged": True, "products": 7, "largest_stable_lr": None},
            "curves upwards in no direction here: the Hessian's largest eigenvalue is −0.5.",
        ),
        (
            {"value": -0.5, "converged": False, "products": 2, "largest_stable_lr": None},
            "The curvature was not worked out: in the time there is only 2 products with the Hessian could be made.",
        ),
        ({"value": None, "why": "there are too many"}, "The curvature was not worked out: there are too many."),
    ],
)
def test_the_steepest_direction(curvature, said):
    assert said in words(worked(landscape=None, curvature=curvature))


def test_the_rates_of_adam_are_not_compared():
    step = worked(
        landscape=None,
        curvature={"value": 20.0, "converged": True, "products": 7, "largest_stable_lr": 0.1, "plain": False},
    )
    step["update"]["optimizer"] = "Adam"
    assert "The rates of Adam are not to be compared with that: it scales each gradient itself." in words(step)


def test_a_bowl_with_flat_directions_and_one_above_the_limit():
    land = worked()["landscape"] | {"condition": None, "epochs_now": None, "growth": 1.5, "lr": 0.05}
    said = words(worked(landscape=land | {"directions": 9, "eigenvalues": [0.0, 0.0, 1.0, 89.64]}))
    assert (
        "a bowl in 9 directions: the Hessian's eigenvalues are 0, 0, …, 1, 89.64; where one is 0 the bowl is flat."
        in said
    )
    assert (
        "lr 0.05 is 224 % of it. Above the limit the distance from the minimum grows by a factor of 1.5 each epoch."
        in said
    )


@pytest.mark.parametrize(
    ("value", "recorded", "said"),
    [
        (-1.0, 0.3, "the other way: the optimizer follows more than this one gradient."),
        (-1.0, 0.3367, "a little lowers the loss. The update did not move it."),
        (0.0, 0.5, "The gradient of fc1.weight[0, 0] is 0: a small change of it does not change this loss."),
    ],
)
def test_the_step_in_words(value, recorded, said):
    step = worked()
    step["verdict"] |= {"value": value}
    step["update"] |= {"recorded": recorded}
    assert said in words(step)


def test_what_is_missing_is_left_out():
    step = worked(
        notes=["The step could not be computed once more."],
        backward=[],
        gradients=[],
        verdict=None,
        landscape=None,
        loss={"value": 2.0, "recorded": 2.0, "passes": [2.0], "term": None, "name": ""},
    )
    step["update"] |= {"lines": [], "agrees": None, "why": "which optimizer it was is recorded when the program ends"}
    said = words(step)
    assert "L = 2 as the run recorded it" in said
    assert "which optimizer it was is recorded when the program ends" in said
    assert "∂L" not in said
    assert words(worked(loss=None, update=None, verdict=None, data=[], forward=[])).startswith("step 1 of scores-1")


def test_nothing_in_a_record_is_taken_for_markup_or_moves_the_cursor():
    step = worked(run="\x1b[31mred", parameter="[bold]w", forward=[operation(module="[red]m", inputs=["\u202ex"])])
    said = shown(step)
    assert "[bold]w" in said
    assert "[red]m" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


def deep(blocks):
    found = [
        operation("randn", "", followed=False),
        operation("mul", "", followed=False),
        operation("sub", "", followed=False),
    ]
    for block in range(blocks):
        found += [operation(name, f"body.{block}.{name}") for name in ("conv2d", "batch_norm", "relu")]
    return [*found, operation("linear", "head"), operation("cross_entropy", "")]


@pytest.mark.parametrize("blocks", [1, 6, 20, 500])
def test_a_big_model_fits_a_page(blocks):
    lines = shown(worked(forward=deep(blocks))).splitlines()
    assert len(lines) < 100


def test_many_operations_are_grouped_by_module():
    groups = shown_operations(deep(6))
    assert [each.name for each in groups] == [
        "3 operations: randn, mul, sub",
        *(f"body.{block} · 3 operations" for block in range(6)),
        "head · linear",
        "cross_entropy",
    ]
    assert sum(each.count for each in groups) == len(deep(6))
    assert [each.count for each in shown_operations(deep(1))] == [3, 1, 1, 1, 1, 1]


def test_a_long_chain_shows_its_ends():
    link = worked()["backward"][0]
    step = worked(backward=[link | {"entry": f"link {number}"} for number in range(40)])
    said = words(step)
    assert "link 4 … 30 operations between … " in said
    assert "link 34" not in said
    assert "link 35" in said


def test_of_many_gradients_those_that_disagree_are_shown():
    row = worked()["gradients"][0]
    rows = [row | {"parameter": f"layer{number}"} for number in range(60)]
    rows[40] |= {"agrees": False, "digits": 1}
    said = words(worked(gradients=rows))
    assert "layer40 (1, 1) 1,065.6 ✗ to 1 digit" in said
    assert "layer39" not in said
    assert "… 51 more, all ✓ to 7 digits or more" in said


class Two(Shown):
    def show(self, console):
        console.print(f"two {self.data['name']}")


def test_a_value_shows_itself_through_one_method():
    value = Two({"name": "<b>&"})
    assert str(value) == "two <b>&"
    assert "two &lt;b&gt;&amp;" in value._repr_html_()
    assert "<b>" not in value._repr_html_()
    with io.StringIO() as page:
        Console(file=page, width=60).print(value)
        assert page.getvalue() == "two <b>&\n"


def test_missing_numbers_are_dashes():
    step = worked(
        data=[{"name": "x", "shape": [9], "dtype": "float32", "least": None, "most": 1, "mean": 1, "std": math.nan}]
    )
    assert "– … 1, mean 1 ± nan" in words(step)


def test_the_limit_is_compared_with_the_rate_of_plain_gradient_descent_alone():
    land = worked()["landscape"]
    assert "lr 0.01 is 45 % of it." in words(worked())
    other = {key: value for key, value in land.items() if key not in ("stable", "close", "epochs_now")}
    said = words(worked(landscape=other))
    assert "2/λmax = 0.02231. That is for plain gradient descent." in said
    assert "% of it" not in said


def test_the_loss_to_come_to_where_the_floor_is_nothing():
    land = worked()["landscape"]
    assert "comes within 1 % of that, to 2.262, after 1,472 epochs" in words(worked())
    assert "the rate that is best for them, 0.5, after 1 epoch." in words(worked())
    assert "comes down to 2.931e-05, after 1,472 epochs" in words(
        worked(landscape=land | {"floor": 3e-30, "close": 2.931e-05})
    ).replace("−", "-")
