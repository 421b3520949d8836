"""An error is explained without running the program's code, changing anything, keeping anything, or raising."""

import gc
import json
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from descend.explain.crash.explaining import _KINDS, explain_error
from descend.explain.crash.source import Fix, Source

Namespace = dict[str, Any]


def fail(program: str, namespace: Namespace | None = None) -> BaseException:
    """The error that ends the program, which is called ``train.py``."""
    try:
        exec(compile(program, "train.py", "exec"), {"torch": torch, "nn": nn, **(namespace or {})})
    except BaseException as error:  # noqa: BLE001 - also SystemExit
        return error
    raise AssertionError("the program did not fail")


def explained(program: str, namespace: Namespace | None = None) -> dict[str, Any] | None:
    return explain_error(fail(program, namespace), lambda file: file == "train.py", {"train.py": program})


def test_an_error_that_is_not_known_gets_its_variables_and_no_guess() -> None:
    program = "x = torch.zeros(2, 3)\nn = 4\nx.expand(n, n, 7)\n"
    crash = explained(program)
    assert crash is not None
    assert crash["kind"] == "unknown"
    assert crash["title"].startswith("RuntimeError: The expanded size of the tensor (7)")
    assert (crash["expected"], crash["because"], crash["fix"], crash["fix_at"]) == ("", "", [], None)
    assert [(each["name"], each["shape"], each["note"]) for each in crash["variables"]] == [
        ("x", [2, 3], ""),
        ("n", None, "4"),
    ]
    assert [each["came_from_line"] for each in crash["variables"]] == [1, 2]
    assert (crash["file"], crash["line"], crash["source"], crash["function"]) == (
        "train.py",
        3,
        "x.expand(n, n, 7)",
        "<module>",
    )


@pytest.mark.parametrize(
    "program",
    [
        "raise KeyboardInterrupt",
        "raise SystemExit(3)",
        "open('/nowhere/to/be/found')",
        "{}['loss']",
        "raise ExceptionGroup('two', [ValueError()])",
    ],
)
def test_other_errors_have_nothing_to_be_added(program: str) -> None:
    assert explained(program) is None


def test_an_error_that_never_went_through_the_program_has_no_panel() -> None:
    assert explain_error(fail("torch.zeros(2) + torch.zeros(3)"), lambda file: False) is None
    assert explain_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), lambda file: True) is None


def test_without_the_text_of_the_program_what_the_message_says_remains() -> None:
    crash = explain_error(fail("torch.zeros(2) + torch.zeros(3)"), lambda file: file == "train.py")
    assert crash is not None
    assert crash["title"] == "sizes 2 and 3 meet in axis 0, and neither is 1"
    assert (crash["source"], crash["variables"], crash["fix"]) == ("", [], [])


HOSTILE = """
class Trap:
    def __getattr__(self, name):
        calls.append(name)
        raise RuntimeError(name)

    def __getitem__(self, name):
        calls.append(name)
        return torch.zeros(2)

    @property
    def __class__(self):
        calls.append("class")
        return torch.Tensor

    @property
    def shape(self):
        calls.append("shape")

    def __repr__(self):
        calls.append("repr")
        return "trap"

    def __eq__(self, other):
        calls.append("eq")
        return True

    def __bool__(self):
        calls.append("bool")
        return True

    def __len__(self):
        calls.append("len")
        return 2

    __hash__ = None


class OwnTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        calls.append(func)
        return super().__torch_function__(func, types, args, kwargs)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    @property
    def width(self):
        calls.append("width")
        return torch.zeros(2, 2)

    def extra_repr(self):
        calls.append("extra_repr")
        return ""

    def __getattr__(self, name):
        calls.append(name)
        return super().__getattr__(name)


class Names(dict):
    def __getitem__(self, name):
        calls.append(name)
        return super().__getitem__(name)


def use(*things):
    return torch.zeros(2, 3) @ torch.zeros(2, 3)


trap, net, own, names = Trap(), Net(), torch.zeros(2).as_subclass(OwnTensor), Names(x=torch.zeros(2))
calls.clear()
"""


def test_no_code_of_the_program_is_run() -> None:
    calls: list[Any] = []
    line = "x = [torch.zeros(2) + torch.zeros(5), own, trap, net.layer.weight, net.width, trap.shape, trap[0], names['x'], own[0], len(trap)]\n"
    program = HOSTILE + line
    error = fail(program, {"calls": calls})
    before = len(calls)  # the program's own
    crash = explain_error(error, lambda file: file == "train.py", {"train.py": program})
    assert calls[before:] == []
    assert crash is not None
    rows = {each["name"]: each for each in crash["variables"]}
    assert rows["own"]["note"] == "a tensor of the class OwnTensor"
    assert rows["net.layer.weight"]["shape"] == [1, 3]
    assert not {"net.width", "trap", "trap.shape", "trap[0]", "names['x']"} & rows.keys()


def test_nothing_is_kept_alive() -> None:
    class Big:
        pass

    def run() -> weakref.ref[Any]:
        big = Big()
        error = fail("x = torch.zeros(2)\nx @ torch.zeros(3)\n", {"big": big})
        crash = explain_error(
            error, lambda file: file == "train.py", {"train.py": "x = torch.zeros(2)\nx @ torch.zeros(3)\n"}
        )
        assert crash is not None
        json.dumps(crash, allow_nan=False)
        return weakref.ref(big)

    gone = run()
    gc.collect()
    assert gone() is None


def test_nothing_is_changed_and_nothing_is_warned_of() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    program = "w = torch.zeros(3, requires_grad=True)\nh = w * 2\nh.grad @ w.T\n"
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        error = fail(program)
    crash = explain_error(error, lambda file: file == "train.py", {"train.py": program})
    assert crash is not None
    assert crash["kind"] == "no gradient"
    assert "h is computed from others" in crash["because"]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


def test_the_answer_stays_small() -> None:
    names = ", ".join(f"x{number}" for number in range(300))
    text = "'" + "long " * 2000 + "'"
    program = f"xs = [torch.zeros(2) for _ in range(300)]\n{names} = xs\nuse({text}, {names}, torch.zeros(2) + torch.zeros(3))\n"
    crash = explained(program)
    assert crash is not None
    assert len(json.dumps(crash)) < 5000
    many = "model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(3000)])\nmodel(torch.zeros(1, 3))\n"
    crash = explained(many)
    assert crash is not None
    assert crash["title"].startswith("model[0] takes rows of 2")
    assert crash["fix"] == []


@settings(max_examples=200)
@given(st.sampled_from([kind.pattern for kind in _KINDS]).flatmap(st.from_regex), st.booleans())
def test_any_message_is_answered_or_left(message: str, with_tensors: bool) -> None:
    program = (
        "x, w = torch.zeros(2, 3), torch.zeros(3, requires_grad=True)\nfailing(x, w)\n"
        if with_tensors
        else "failing()\n"
    )

    def failing(*_: object) -> None:
        raise RuntimeError(message)

    crash = explained(program, {"failing": failing})
    assert crash is None or (json.dumps(crash, allow_nan=False) and crash["kind"])


@given(st.text(max_size=60))
def test_any_text_of_a_program_is_borne(text: str) -> None:
    error = fail("x = torch.zeros(2)\nx + torch.zeros(3)\n")
    crash = explain_error(error, lambda file: file == "train.py", {"train.py": text})
    assert crash is None or crash["kind"] == "broadcast"


class Oddity(Exception):
    """An error of the program's own."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def odd(error: BaseException) -> Callable[..., None]:
    def failing(*_: object) -> None:
        raise error

    return failing


def test_an_error_without_a_text_is_borne() -> None:
    for error in (Oddity(3), RuntimeError(), RuntimeError(b"bytes")):
        crash = explained("x = torch.zeros(2)\nfailing(x)\n", {"failing": odd(error)})
        assert crash is not None
        assert (crash["kind"], crash["title"]) == ("unknown", type(error).__name__)


def test_a_program_without_torch_does_not_get_it() -> None:
    program = (
        "import sys\nfrom descend.explain.crash.explaining import explain_error\n"
        "try:\n    {}['x']\nexcept KeyError as error:\n    assert explain_error(error, lambda file: True) is None\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_where_a_value_came_from() -> None:
    program = """
scale = torch.zeros(3)

def step(x, flag=False):
    y = x * 2
    if flag:
        y = x
    for part in [x]:
        z = part + scale
        total = [total_of(z), y, torch.zeros(2) + torch.zeros(3)]

def total_of(z):
    return z.sum()

step(torch.zeros(2, 3))
"""
    crash = explained(program)
    assert crash is not None
    lines = {each["name"]: each["came_from_line"] for each in crash["variables"]}
    assert lines == {"z": 9, "y": None}  # which of its two lines made y is not known
    crash = explained(program.replace("total_of(z), y", "x, part, scale"))
    assert crash is not None
    lines = {each["name"]: each["came_from_line"] for each in crash["variables"]}
    assert lines == {"x": 4, "part": 8, "scale": 2}


def test_a_layer_made_in_another_cell_is_mended_there() -> None:
    cells = {"cell 1": "model = nn.Linear(3, 1)\n", "cell 2": "x = torch.zeros(2, 5)\nout = model(x)\n"}
    names: Namespace = {"torch": torch, "nn": nn}
    exec(compile(cells["cell 1"], "cell 1", "exec"), names)
    with pytest.raises(RuntimeError) as failed:
        exec(compile(cells["cell 2"], "cell 2", "exec"), names)
    crash = explain_error(failed.value, lambda file: file in cells, cells)
    assert crash is not None
    assert (crash["file"], crash["line"]) == ("cell 2", 2)
    assert crash["fix"] == ["model = nn.Linear(5, 1)"]
    assert crash["fix_at"] == {"file": "cell 1", "first": 1, "last": 1}


@pytest.mark.parametrize(
    "program",
    [
        "w = torch.zeros(2, requires_grad=True); w -= 1\n",
        "w = torch.zeros(2, requires_grad=True)\nfor _ in range(2): w -= 1\n",
    ],
)
def test_a_statement_that_shares_its_line_is_not_rewritten(program: str) -> None:
    crash = explained(program)
    assert crash is not None
    assert crash["kind"] == "in place"
    assert (crash["fix"], crash["fix_at"]) == ([], None)


def test_a_fix_that_would_be_no_program_is_not_proposed() -> None:
    source = Source("x = (1 +\n     2)\n", "train.py")
    assert source.is_sound(Fix(("x = 1",), "train.py", 1, 2))
    assert not source.is_sound(Fix(("x = 1",), "train.py", 1, 1))
