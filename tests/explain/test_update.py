"""The arithmetic of updates, entry by entry, beside ``torch.optim`` in float64."""

import math
import re

import pytest
import torch

from descend.explain.update import moved, update

STEPS = 5

CASES = [
    (torch.optim.SGD, {"lr": 0.1}),
    (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.5, "maximize": True}),
    (torch.optim.Adam, {"lr": 0.01}),
    (torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    (torch.optim.Adam, {"lr": 0.01, "maximize": True}),
    (torch.optim.AdamW, {"lr": 0.01}),
    (torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.0}),
    (torch.optim.RMSprop, {"lr": 0.01}),
    (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.9, "alpha": 0.8, "weight_decay": 0.1}),
    (torch.optim.Adagrad, {"lr": 0.1}),
    (torch.optim.Adagrad, {"lr": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_five_steps_are_those_of_torch(kind, settings):
    torch.manual_seed(0)
    parameter = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    optimizer = kind([parameter], **settings)
    told = {key: list(each) if isinstance(each, tuple) else each for key, each in optimizer.param_groups[0].items()}
    del told["params"]
    for _ in range(STEPS):
        parameter.grad = torch.randn(2, 3, dtype=torch.float64)
        memory = {
            key: float(each[1, 2] if each.ndim else each)
            for key, each in optimizer.state[parameter].items()
            if isinstance(each, torch.Tensor)
        }
        found = update(kind.__name__, told, float(parameter[1, 2].detach()), float(parameter.grad[1, 2]), memory)
        optimizer.step()
        assert found.new == pytest.approx(float(parameter[1, 2].detach()), rel=1e-12, abs=1e-15)
        assert found.lines
        assert not any("+ −" in line or "nan" in line for line in found.lines)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("Adam", {"amsgrad": True}), ("RMSprop", {"centered": True}), ("Adagrad", {"lr_decay": 0.1}), ("LBFGS", {})],
)
def test_what_is_not_known_is_not_made_up(kind, settings):
    assert update(kind, {"lr": 0.1, **settings}, 1.0, 1.0, {}) is None


def test_the_words_of_plain_descent():
    found = update("", {"lr": 0.01}, 0.33669036626815796, -1065.624755859375, {})
    assert found.lines == ("θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993",)


def test_the_words_of_adam():
    found = update(
        "Adam", {"lr": 0.001, "betas": [0.9, 0.999]}, 0.5, -0.7061, {"exp_avg": 0.1, "exp_avg_sq": 0.01, "step": 4.0}
    )
    assert found.lines == (
        "m ← β₁·m + (1−β₁)·g = 0.9·0.1 + 0.1·(−0.7061) = 0.01939",
        "v ← β₂·v + (1−β₂)·g² = 0.999·0.01 + 0.001·(−0.7061)² = 0.01049",
        "m̂ = m/(1−β₁ᵗ) = 0.01939/(1 − 0.9^5) = 0.04735",
        "v̂ = v/(1−β₂ᵗ) = 0.01049/(1 − 0.999^5) = 2.102",
        "θ ← θ − lr·m̂/(√v̂ + ε) = 0.5 − 0.001·0.04735/(√2.102 + 1.000e−08) = 0.49996734",
    )


def test_the_words_of_momentum():
    first = update("SGD", {"lr": 0.1, "momentum": 0.9}, 1.0, 0.5, {})
    assert first.lines == ("v ← g = 0.5", "θ ← θ − lr·v = 1 − 0.1·0.5 = 0.95")
    later = update("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, 1.0, 0.5, {"momentum_buffer": -0.5})
    assert later.lines[0] == "v ← μ·v + (1−d)·g = 0.9·(−0.5) + 0.5·0.5 = −0.2"


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (0.33669036626815796, 10.992937, ("0.3367", "10.993")),
        (0.5, 0.5, ("0.5", "0.5")),
        (0.123456789, 0.123446789, ("0.12345679", "0.12344679")),
        (2.0, 1.9999, ("2", "1.9999")),
        (math.inf, 1.0, ("inf", "1")),
    ],
)
def test_a_change_is_seen_in_the_digits(old, new, shown):
    assert moved(old, new) == shown


def test_two_different_numbers_never_look_the_same():
    generator = torch.Generator().manual_seed(0)
    for _ in range(500):
        old = float(torch.randn((), generator=generator))
        new = old + float(torch.randn((), generator=generator)) * 10 ** float(-6 * torch.rand((), generator=generator))
        assert re.sub(r"\D", "", moved(old, new)[0]) != re.sub(r"\D", "", moved(old, new)[1]) or old * new < 0
