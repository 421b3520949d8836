import __future__

import builtins
import sys
import traceback
from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from descend.record.events import PHASES, BatchSeen, Event, Operations, PhaseTimes, Snapshot, Unseen
from descend.watch.loops import LoopWatcher, instrument
from descend.watch.operations import OperationRecorder
from descend.watch.places import Places
from descend.watch.probes import PROBE

SETUP = """
import torch
torch.manual_seed(0)
x = torch.randn(20, 3)
y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3
w = torch.randn(3, 1)
b = torch.zeros(1)
lr = 0.1
"""


class Told:
    """Stands for the observer: keeps the steps it is told."""

    def __init__(self, filename: str = "script.py") -> None:
        self.places = Places(lambda file: file == filename)
        self.step = 0
        self.backward_calls = 0
        self.spent = 0.0
        self.timed_beside = []
        self.steps: list[tuple[float | None, dict[str, Tensor], float, Mapping[str, Tensor]]] = []
        self.events: list[Event] = []
        self.emit = self.events.append
        self.recorder: Any = None
        self.moments: list[str] = []  # that those who collect facts are told of

    def share(self) -> float:
        return 0.0

    def heeded(self, candidate: int, at: float) -> int:
        return candidate

    def hand_step(self, loss: Any, parameters: Any, seconds: float, before: Any) -> None:
        self.step += 1
        copies = {path: tensor.detach().clone() for path, tensor in parameters.items()}
        self.steps.append((loss, copies, seconds, before))

    def tell(self, moment: str, *values: Any) -> None:
        self.moments.append(moment)

    @property
    def losses(self) -> list[float | None]:
        return [loss for loss, *_ in self.steps]

    @property
    def unseen(self) -> list[Unseen]:
        return [event for event in self.events if isinstance(event, Unseen)]


def run(
    source: str, *, record: bool = False, filename: str = "script.py", ends: Any = None
) -> tuple[dict[str, Any], Told]:
    told = Told(filename)
    if record:
        told.recorder = OperationRecorder(told.emit, lambda tensor: "", lambda file: file == filename)
    watcher = LoopWatcher(told, ends)
    space: dict[str, Any] = {"__name__": "__main__"}
    backward = torch.Tensor.backward

    def counted(self: Tensor, *args: Any, **kwargs: Any) -> None:
        told.backward_calls += 1
        backward(self, *args, **kwargs)

    torch.Tensor.backward = counted  # type: ignore[method-assign, assignment]
    watcher.start()
    try:
        exec(instrument(dedent(source).encode(), filename), space)
    finally:
        watcher.stop()
        torch.Tensor.backward = backward  # type: ignore[method-assign]
    assert torch._C._len_torch_function_stack() == 0
    return space, told


def test_time_in_which_a_person_looks_around_is_no_time_of_the_step():
    """A debugger that keeps the program for a thousand seconds, said and not waited for."""
    told = Told()
    watcher = LoopWatcher(told)

    def stay(epoch: int) -> None:
        for each in told.timed_beside if epoch in (3, 70) else ():
            each(1000.0)

    source = "import torch\ntorch.manual_seed(0)\nx = torch.randn(20, 3)\ny = torch.randn(20, 1)\n"
    source += "w, b, lr = torch.zeros(3, 1), torch.zeros(1), 0.1\n"
    source += "for epoch in range(1, 81):\n    stay(epoch)" + GRADIENTS + "    w -= lr * dw\n    b -= lr * db\n"
    watcher.start()
    try:
        exec(instrument(source.encode(), "script.py"), {"__name__": "__main__", "stay": stay})
    finally:
        watcher.stop()
    assert [step for step, (_, _, seconds, _) in enumerate(told.steps, 1) if seconds <= 0] == [3, 70]


def run_plainly(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(dedent(source), "script.py", "exec", dont_inherit=True), space)
    return space


# --- trainings by hand -------------------------------------------------------------------------------------------------------


GRADIENTS = """
    error = x @ w + b - y
    loss = (error ** 2).mean()
    dw = 2 * x.T @ error / len(x)
    db = 2 * error.mean(0)
"""

TRAININGS = {
    "rebound": ("", GRADIENTS + "    w = w - lr * dw\n    b = b - lr * db", {"w", "b"}),
    "augmented": ("", GRADIENTS + "    w -= lr * dw\n    b -= lr * db", {"w", "b"}),
    "in place": ("", GRADIENTS + "    w.sub_(lr * dw)\n    b.add_(db, alpha=-lr)", {"w", "b"}),
    "data": ("", GRADIENTS + "    w.data -= lr * dw\n    b.data.sub_(lr * db)", {"w", "b"}),
    "slices": ("", GRADIENTS + "    w[:] = w - lr * dw\n    b[0] -= lr * db[0]", {"w", "b"}),
    "out": ("", GRADIENTS + "    torch.sub(w, lr * dw, out=w)\n    torch.sub(b, lr * db, out=b)", {"w", "b"}),
    "copied": ("", GRADIENTS + "    w.copy_(w - lr * dw)\n    b.copy_(b - lr * db)", {"w", "b"}),
    "foreach": ("", GRADIENTS + "    torch._foreach_sub_([w, b], [lr * dw, lr * db])", {"w", "b"}),
    "tuple": ("", GRADIENTS + "    w, b = w - lr * dw, b - lr * db", {"w", "b"}),
    "weight decay": ("", GRADIENTS + "    w.mul_(1 - lr * 0.01).sub_(lr * dw)\n    b -= lr * db", {"w", "b"}),
    "list": (
        "parameters = [w, b]; del w, b",
        GRADIENTS.replace("@ w + b", "@ parameters[0] + parameters[1]")
        + "    for p, g in zip(parameters, [dw, db]):\n        p -= lr * g",
        {"parameters[0]", "parameters[1]"},
    ),
    "dictionary": (
        "net = {'w': w, 'b': b}; del w, b",
        GRADIENTS.replace("@ w + b", "@ net['w'] + net['b']")
        + "    net['w'] = net['w'] - lr * dw\n    net['b'] = net['b'] - lr * db",
        {"net[w]", "net[b]"},
    ),
    "list and names": (
        "",
        GRADIENTS + "    for p, g in zip([w, b], [dw, db]):\n        p -= lr * g",
        {"w", "b"},
    ),
    "batches": (
        "xs, ys = x, y",
        "    rows = torch.randint(20, (5,))\n    x, y = xs[rows], ys[rows]" + GRADIENTS + "    w = w - lr * dw",
        {"w"},
    ),
    "loss after the update": (
        "",
        GRADIENTS.replace("    loss = (error ** 2).mean()\n", "")
        + "    w = w - lr * dw\n    b = b - lr * db\n    loss = ((x @ w + b - y) ** 2).mean()",
        {"w", "b"},
    ),
    "momentum": (
        "v = torch.zeros(3, 1)",
        GRADIENTS + "    v = 0.9 * v + dw\n    w = w - lr * v\n    loss = ((x @ w + b - y) ** 2).mean()",
        {"w"},
    ),
    "momentum in place": (
        "v = torch.zeros(3, 1)",
        GRADIENTS + "    v.mul_(0.9).add_(dw)\n    w -= lr * v\n    loss = ((x @ w + b - y) ** 2).mean()",
        {"w"},
    ),
    "adam": (
        "m = torch.zeros(3, 1); s = torch.zeros(3, 1)",
        GRADIENTS
        + "    m = 0.9 * m + 0.1 * dw\n    s = 0.999 * s + 0.001 * dw ** 2\n    w = w - 0.01 * m / (s.sqrt() + 1e-8)",
        {"w"},
    ),
    "loss as a number": (
        "",
        GRADIENTS.replace(".mean()\n    dw", ".mean().item()\n    dw") + "    w = w - lr * dw",
        {"w"},
    ),
    "mean of a number": (
        "",
        GRADIENTS.replace("(error ** 2).mean()", "(error ** 2).sum().item() / len(x)") + "    w = w - lr * dw",
        {"w"},
    ),
    "two names for it": ("", GRADIENTS + "    value = loss.item()\n    w = w - lr * dw", {"w"}),
    "other numbers": (
        "",
        GRADIENTS + "    rmse = loss.sqrt()\n    largest = error.abs().max()\n    w = w - lr * dw",
        {"w"},
    ),
    "sum of losses": (
        "",
        GRADIENTS.replace("loss =", "data_loss =")
        + "    penalty = (w ** 2).sum()\n    loss = data_loss + 0.1 * penalty\n"
        "    w = w - lr * (dw + 0.2 * w)",
        {"w"},
    ),
    "another name": ("", GRADIENTS.replace("loss", "quality") + "    w = w - lr * dw\n    b = b - lr * db", {"w", "b"}),
    "while": ("i = 0", GRADIENTS + "    w = w - lr * dw\n    i += 1\n    if i == 30: break", {"w"}),
    "functions": (
        (
            "def predict(w, b): return x @ w + b\n"
            "def cost(w, b): return ((predict(w, b) - y) ** 2).mean()\n"
            "def gradient(w, b):\n"
            "    error = predict(w, b) - y\n"
            "    return 2 * x.T @ error / len(x), 2 * error.mean(0)\n"
        ),
        "    J = cost(w, b)\n    dw, db = gradient(w, b)\n    w = w - lr * dw\n    b = b - lr * db",
        {"w", "b"},
    ),
    "step function": (
        (
            "def step(w, b):\n"
            "    error = x @ w + b - y\n"
            "    return w - lr * 2 * x.T @ error / len(x), b - lr * 2 * error.mean(0), (error ** 2).mean()\n"
        ),
        "    w, b, loss = step(w, b)",
        {"w", "b"},
    ),
    "global": (
        (
            "def step():\n"
            "    global w\n"
            "    error = x @ w + b - y\n"
            "    w = w - lr * 2 * x.T @ error / len(x)\n"
            "    return (error ** 2).mean()\n"
        ),
        "    loss = step()",
        {"w"},
    ),
    "gradients added up over rows": (
        "",
        (
            "    dw = torch.zeros(3, 1)\n"
            "    loss = 0.0\n"
            "    for xi, yi in zip(x, y):\n"
            "        error = xi @ w - yi\n"
            "        loss = loss + (error ** 2).sum() / len(x)\n"
            "        dw += 2 * (xi * error).unsqueeze(1) / len(x)\n"
            "    w = w - lr * dw"
        ),
        {"w"},
    ),
}


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.parametrize("place", ["module", "function"])
def test_every_iteration_is_a_step_with_its_loss(name: str, place: str) -> None:
    before, body, parameters = TRAININGS[name]
    if place == "function" and name == "global":
        pytest.skip("a function's own variables are no globals")
    head = "while True:" if name == "while" else "for i in range(30):"
    program = f"{SETUP}\nhistory = []\n{before}\n{head}\n{_keeping_losses(body)}\n"
    if place == "function":
        program = f"def main():\n{indent(program, '    ')}    return history\nhistory = main()\n"
    space, told = run(program)
    assert not told.unseen
    assert told.losses == space["history"] == run_plainly(program)["history"]
    assert len(told.losses) == 30
    assert all(set(values) in (parameters, set()) for _, values, *_ in told.steps)
    assert set(told.steps[0][1]) == parameters


def _keeping_losses(body: str) -> str:
    """The loop's body, which keeps its loss where an iteration ends, or before it may be left."""
    loss = next(word for word in ("loss", "J", "quality") if f"{word} =" in body)
    lines = body.strip("\n").splitlines()
    end = next((position for position, line in enumerate(lines) if "break" in line), len(lines))
    return "\n".join([*lines[:end], f"    history.append(float({loss}))", *lines[end:]])


def test_values_before_and_after_a_step() -> None:
    source = SETUP + "values = [w]\nfor i in range(5):\n" + GRADIENTS + "    w = w - lr * dw\n    values.append(w)\n"
    space, told = run(source)
    for number, (_, after, seconds, before) in enumerate(told.steps):
        assert torch.equal(before["w"], space["values"][number])
        assert torch.equal(after["w"], space["values"][number + 1])
        assert 0 < seconds < 10


def test_an_update_every_fourth_iteration_is_a_step() -> None:
    source = SETUP + (
        "dw = torch.zeros(3, 1)\n"
        "for i in range(40):\n"
        "    error = x @ w - y\n"
        "    loss = (error ** 2).mean()\n"
        "    dw = dw + x.T @ error / len(x)\n"
        "    if i % 4 == 3:\n"
        "        w = w - lr * dw\n"
        "        dw = torch.zeros(3, 1)\n"
    )
    _, told = run(source)
    assert told.step == 10
    assert not told.unseen


def test_a_loss_computed_now_and_then_is_told_then() -> None:
    source = SETUP + (
        "for i in range(30):\n"
        "    error = x @ w - y\n"
        "    if i % 10 == 0:\n"
        "        loss = (error ** 2).mean()\n"
        "    w = w - lr * x.T @ error / len(x)\n"
    )
    _, told = run(source)
    assert [number for number, loss in enumerate(told.losses) if loss is not None] == [0, 10, 20]


def test_epochs_and_batches() -> None:
    source = SETUP + (
        "def train(w):\n"
        "    for epoch in range(3):\n"
        "        for rows in torch.arange(20).split(5):\n"
        "            error = x[rows] @ w - y[rows]\n"
        "            loss = (error ** 2).mean()\n"
        "            w = w - lr * x[rows].T @ error / 5\n"
        "        print(epoch, loss.item())\n"
        "    return w\n"
        "w = train(w)\n"
    )
    space, told = run(source)
    assert told.step == 12
    assert torch.equal(space["w"], run_plainly(source)["w"])


def test_a_network_of_a_class_of_ones_own() -> None:
    source = """
        import torch
        torch.manual_seed(0)
        class Net:
            def __init__(self):
                self.W1, self.b1 = torch.randn(2, 8), torch.zeros(8)
                self.W2, self.b2 = torch.randn(8, 1), torch.zeros(1)
            def forward(self, x):
                self.x, self.z = x, x @ self.W1 + self.b1
                self.h = torch.relu(self.z)
                return self.h @ self.W2 + self.b2
            def backward_pass(self, out, y):
                d = 2 * (out - y) / len(y)
                self.dW2, self.db2 = self.h.T @ d, d.sum(0)
                dh = d @ self.W2.T * (self.z > 0)
                self.dW1, self.db1 = self.x.T @ dh, dh.sum(0)
            def update(self, lr):
                self.W1 -= lr * self.dW1
                self.b1 -= lr * self.db1
                self.W2 -= lr * self.dW2
                self.b2 -= lr * self.db2
        net = Net()
        x, y = torch.randn(30, 2), torch.randn(30, 1)
        losses = []
        for epoch in range(25):
            out = net.forward(x)
            loss = ((out - y) ** 2).mean()
            losses.append(loss.item())
            net.backward_pass(out, y)
            net.update(0.01)
        """
    space, told = run(source)
    assert told.losses == space["losses"]
    assert set(told.steps[0][1]) == {"net.W1", "net.b1", "net.W2", "net.b2"}


def test_a_module_moved_by_hand() -> None:
    source = """
        import torch
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 1)
        x, y = torch.randn(10, 3), torch.randn(10, 1)
        with torch.no_grad():
            for step in range(5):
                error = layer(x) - y
                loss = error.pow(2).mean()
                for p, g in zip(layer.parameters(), (error.T @ x / 5, error.mean(0) * 2)):
                    p -= 0.1 * g
        """
    _, told = run(source)
    assert told.step == 5
    assert set(told.steps[0][1]) == {"layer.weight", "layer.bias"}


# --- what is no training by hand ---------------------------------------------------------------------------------------------


NO_TRAININGS = {
    "a list": "values = []\nfor i in range(20):\n    z = x[i] @ w\n    values.append(z.mean())",
    "running sum": "total = torch.zeros(3)\nfor i in range(20):\n    loss = x[i].mean()\n    total = total + x[i]",
    "running mean": "mean = torch.zeros(3)\nfor i in range(20):\n    mean += (x[i] - mean) / (i + 1)\n    spread = (x[i] - mean).norm()",
    "running mean of falling differences": "mean = torch.zeros(3)\nfor i in range(20):\n    d = torch.ones(3) / (i + 1) - mean\n    mean += 0.1 * d\n    spread = (torch.ones(3) - mean).norm()",
    "accumulated loss": (
        "total = torch.zeros(())\nfor i in range(20):\n    loss = ((x[i] @ w - y[i]) ** 2).mean()\n    total += loss\n    mean = total / (i + 1)"
    ),
    "accumulated number": "total_loss = 0.0\nfor i in range(20):\n    loss = ((x[i] @ w - y[i]) ** 2).mean()\n    total_loss += loss.item()",
    "moving average": "average = w.clone()\nfor i in range(20):\n    w = torch.randn(3, 1)\n    loss = ((x @ average - y) ** 2).mean()\n    average = 0.9 * average + 0.1 * w",
    "normalisation": (
        "mean = torch.zeros(3)\nfor i in range(20):\n    mean = mean + 0.1 * (x[i] - mean)\n    loss = (((x[i] - mean) @ w - y[i]) ** 2).mean()"
    ),
    "power iteration": (
        "A = x.T @ x; v = torch.randn(3)\nfor i in range(20):\n    v = A @ v\n    v = v / v.norm()\n    value = v @ A @ v\n    error = (A @ v - value * v).norm()"
    ),
    "random walk": "place = torch.zeros(2)\nfor i in range(20):\n    place = place + torch.randn(2)\n    distance = place.norm()\n    loss = (place - 1).norm()",
    "orbit": (
        "k = torch.tensor(1.0); p = torch.tensor([1.0, 0.0]); v = torch.tensor([0.0, 1.0])\n"
        "for i in range(50):\n    r = p.norm()\n    a = -k * p / r ** 3\n    energy = 0.5 * v @ v - k / r\n    p = p + 0.01 * v\n    v = v + 0.01 * a"
    ),
    "root": "r = torch.tensor(2.0)\nfor i in range(20):\n    f = r ** 2 - 3\n    r = r - f / (2 * r)\n    error = abs(f)",
    "function of no data": "p = torch.randn(2)\nfor i in range(20):\n    loss = (p ** 2).sum()\n    p = p - 0.1 * 2 * p",
    "value iteration": "V = torch.zeros(20); P = torch.softmax(torch.randn(20, 20), 1)\nfor i in range(20):\n    new = y.flatten() + 0.9 * P @ V\n    loss = (new - V).abs().max()\n    V = new",
    "k-means": (
        "c = x[:3].clone()\nfor i in range(10):\n    d = torch.cdist(x, c)\n    loss = d.min(1).values.mean()\n    near = d.argmin(1)\n"
        "    c = torch.stack([x[near == k].mean(0) if (near == k).any() else c[k] for k in range(3)])"
    ),
    "evaluation": (
        "net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))\n"
        "correct, test_loss = 0, 0.0\nwith torch.no_grad():\n    for rows in torch.arange(20).split(5):\n        out = net(x[rows])\n"
        "        loss = ((out - y[rows]) ** 2).mean()\n        test_loss += loss.item()\n        correct += (out > 0).sum()"
    ),
    "recurrence": "h = torch.zeros(3)\nfor i in range(20):\n    h = h + torch.tanh(x[i] + h)\n    loss = (h.mean() - y[i]) ** 2",
    "fitted in one go": "for i in range(10):\n    rows = torch.randint(20, (10,))\n    w = torch.linalg.lstsq(x[rows], y[rows]).solution\n    loss = ((x @ w - y) ** 2).mean()",
    "search": "best = torch.tensor(1e9)\nfor i in range(20):\n    t = torch.randn(3, 1)\n    loss = ((x @ t - y) ** 2).mean()\n    if loss < best:\n        best, w = loss, t",
    "autograd": (
        "w.requires_grad_()\nfor i in range(20):\n    loss = ((x @ w - y) ** 2).mean()\n    loss.backward()\n    with torch.no_grad():\n        w -= lr * w.grad\n        w.grad = None"
    ),
    "autograd in a function": (
        "w.requires_grad_()\ndef descend():\n    loss = ((x @ w - y) ** 2).mean()\n    loss.backward()\n    with torch.no_grad():\n        w.sub_(lr * w.grad)\n        w.grad = None\n    return loss.detach()\n"
        "for i in range(20):\n    loss = descend()"
    ),
    "autograd.grad": (
        "w.requires_grad_()\nfor i in range(20):\n    loss = ((x @ w - y) ** 2).mean()\n    g, = torch.autograd.grad(loss, [w])\n    with torch.no_grad():\n        w -= lr * g"
    ),
    "func.grad": (
        "for i in range(20):\n    g, loss = torch.func.grad_and_value(lambda w: ((x @ w - y) ** 2).mean())(w)\n    w = w - lr * g"
    ),
    "optimizer": (
        "net = torch.nn.Linear(3, 1); o = torch.optim.SGD(net.parameters(), lr=0.1)\nfor i in range(20):\n    o.zero_grad()\n    loss = ((net(x) - y) ** 2).mean()\n    loss.backward()\n    o.step()"
    ),
}


@pytest.mark.parametrize("name", NO_TRAININGS)
def test_no_step_is_told_of_a_loop_that_does_not_train_by_hand(name: str) -> None:
    _, told = run(SETUP + NO_TRAININGS[name])
    assert told.steps == []


def test_a_loss_that_cannot_be_told_apart_is_said() -> None:
    source = SETUP + (
        "for i in range(20):\n"
        "    error = x @ w - y\n"
        "    first_quality = (error ** 2).mean()\n"
        "    second_quality = error.abs().mean()\n"
        "    w = w - lr * x.T @ error / len(x)\n"
    )
    _, told = run(source)
    assert told.steps == []
    assert told.unseen == [
        Unseen(
            "the steps of a loop without backward",
            "w may be parameters, but which number is the loss could not be told: first_quality, second_quality",
            ("script.py", 1 + source.splitlines().index("for i in range(20):")),
        )
    ]


# --- the script does not notice ----------------------------------------------------------------------------------------------


PROGRAMS = [
    "out = []\nfor i in range(5):\n    w = i\n    w = w - 1\n    if w == 1: continue\n    if i == 3: break\n    out.append(w)\nelse:\n    out.append('else')",
    "out = []\nw = 9\nwhile w > 0:\n    w = w - 2\n    out.append(w)\nelse:\n    out.append('else')",
    "def f(w):\n    for i in range(9):\n        for j in range(9):\n            w = w - i * j\n            if w < -20: return w, i, j\n        else:\n            w = w + 1\nout = f(3)",
    "'''module'''\nfrom __future__ import annotations\ndef f(a: nothing):\n    '''function'''\n    w = a\n    for _ in range(3):\n        'no docstring'\n        w = w - 1\n        print(w)\n    return w\nout = f(3), f.__doc__, f.__annotations__, __doc__",
    "out = []\ndef g(w):\n    for i in range(3):\n        w = w - i\n        yield w\nout = list(g(1)) + [w - i for w in range(3) for i in range(w)]",
    "import asyncio\nasync def h():\n    w, out = 1, []\n    async def k():\n        for i in range(3):\n            yield i\n    async for i in k():\n        w = w - i\n        out.append(w)\n        await asyncio.sleep(0)\n    return out\nout = asyncio.run(h())",
    "w = 0\nout = []\nfor i in range(3):\n    try:\n        w = w - 1\n        out.append(1 // (i - 1))\n    except ZeroDivisionError as e:\n        out.append(str(e))\n        continue\n    finally:\n        out.append(w)",
    "w = 3\nclass C:\n    w = 1\n    for i in range(3):\n        w = w - i\n        use = w\n    def m(self, w):\n        while True:\n            w = w - 1\n            print(w)\n            if w < 0: break\n        return w\nout = sorted(k for k in vars(C) if not k.startswith('__')), C().m(2)",
    "w = 0\nfor i in range(3):\n    match i:\n        case 0:\n            w = w - 1; k = w\n        case _:\n            w = w - 2; k = w\n            break\nout = w, sorted(dir()), sorted(globals()), sorted(locals())",
    "def f(w):\n    for i in range(2):\n        w = w - i\n        z = w\n    return sorted(locals()), len(vars())\nout = f(3)",
    "f = lambda w: [w := w - i for i in range(3)]\nout = f(3)",
]


@pytest.mark.parametrize("source", PROGRAMS)
@pytest.mark.parametrize("watched", [False, True])
def test_the_program_does_what_it_does(source: str, watched: bool, capsys: pytest.CaptureFixture[str]) -> None:
    plain = run_plainly(source)
    said = capsys.readouterr()
    if watched:
        space, _ = run(source)
    else:
        space = {"__name__": "__main__"}
        exec(instrument(source.encode(), "script.py"), space)
    assert space["out"] == plain["out"]
    assert list(space) == list(plain)
    assert capsys.readouterr() == said


def test_tracebacks_and_carets_are_the_same() -> None:
    source = "w = 3\ndef f(w):\n    for i in range(5):\n        w = w - 1; k = w\n        print(1 / (w -\n            0))\nf(w)\n"
    shown = []
    for code in (compile(source, "<s>", "exec"), instrument(source.encode(), "<s>")):
        try:
            exec(code, {"__name__": "__main__"})
        except ZeroDivisionError as error:
            assert error.__traceback__ is not None
            entries = list(traceback.walk_tb(error.__traceback__.tb_next))
            positions = [
                list(frame.f_code.co_positions())[last // 2]
                for frame, last in zip(
                    (frame for frame, _ in entries),
                    (each.tb_lasti for each in _chain(error.__traceback__.tb_next)),
                    strict=True,
                )
            ]
            shown.append((positions, [line for _, line in entries]))
    assert shown[0] == shown[1]
    assert PROBE in _names(instrument(source.encode(), "<s>"))


def _chain(entry: Any) -> Any:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _names(code: Any) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            found |= _names(constant)
    return found


def test_lines_that_a_debugger_stops_at_are_the_same() -> None:
    source = "w = 3\nfor i in range(3):\n    w = w - 1\n    k = w\nelse:\n    z = 1\nwhile w < 3:\n    w = w + 1\n    k = w\n"

    def lines(code: Any) -> list[int]:
        seen: list[int] = []

        def trace(frame: Any, event: str, argument: Any) -> Any:
            if frame.f_code.co_filename == "<s>" and event == "line":
                seen.append(frame.f_lineno)
            return trace if frame.f_code.co_filename == "<s>" else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            exec(code, {"__name__": "__main__"})
        finally:
            sys.settrace(before)
        return seen

    assert lines(instrument(source.encode(), "<s>")) == lines(compile(source, "<s>", "exec"))


@pytest.mark.parametrize(
    "source",
    [
        b"# -*- coding: latin-1 -*-\nout = '\xe9'\n",
        "\ufeffout = 'é'\n".encode(),
        b"from __future__ import annotations\nout: nothing = 1\n",
        b"out = 1\r\nfor i in range(2):\r\n    out = out - 1\r\n    k = out\r\n",
    ],
)
def test_encodings_and_line_ends(source: bytes) -> None:
    plain: dict[str, Any] = {}
    exec(compile(source, "<s>", "exec", dont_inherit=True), plain)
    watched: dict[str, Any] = {}
    code = instrument(source, "<s>")
    exec(code, watched)
    assert watched["out"] == plain["out"]
    assert code.co_flags == compile(source, "<s>", "exec", dont_inherit=True).co_flags


def test_future_statements_of_this_file_do_not_leak() -> None:
    assert not instrument(b"out = 1", "<s>").co_flags & __future__.annotations.compiler_flag


@pytest.mark.parametrize("source", [b"for i in range(3)\n    pass", b"\xff", b"# coding: nonsense\n", b"return"])
def test_what_is_no_python_gives_pythons_own_error(source: bytes) -> None:
    with pytest.raises(SyntaxError) as plain:
        compile(source, "bad.py", "exec", dont_inherit=True)
    with pytest.raises(SyntaxError) as watched:
        instrument(source, "bad.py")
    assert str(watched.value) == str(plain.value)
    assert (watched.value.lineno, watched.value.offset) == (plain.value.lineno, plain.value.offset)


@pytest.mark.parametrize(
    "source",
    [
        "for i in range(3):\n    print(i)",
        "for x, y in data:\n    loss = model(x)\n    loss.backward()\n    w -= 0.1 * w.grad\n    use(w)",
        "correct = 0\nfor x, y in data:\n    correct += (model(x) == y).sum()\n    print(correct)",
        "from numba import njit\n@njit\ndef f(w):\n    for i in range(3):\n        w = w - 1\n        k = w\n    return w",
        "@torch.compile(backend='eager')\ndef f(w):\n    for i in range(3):\n        w = w - 1\n        k = w\n    return w",
        "@torch.jit.script\ndef f(w):\n    for i in range(3):\n        w = w - 1\n        k = w\n    return w",
        "def f(w):\n    settings = locals()\n    for i in range(3):\n        w = w - 1\n        k = w\n    return settings",
        "def f(w):\n    for i in range(3):\n        w = w - 1\n        yield w",
        "async def f(w):\n    for i in range(3):\n        w = w - 1\n        await g(w)",
        "class C:\n    w = 1\n    for i in range(3):\n        w = w - 1\n        k = w",
        "k = [w - i for w in range(3) for i in range(w)]",
    ],
)
def test_loops_that_are_left_alone(source: str) -> None:
    assert PROBE not in _names(instrument(source.encode(), "<s>"))


def test_nothing_is_heard_after_stop_nor_before_start() -> None:
    code = instrument((SETUP + "for i in range(5):\n" + GRADIENTS + "    w = w - lr * dw\n").encode(), "<s>")
    told = Told()
    watcher = LoopWatcher(told)
    exec(code, {})
    watcher.start()
    watcher.stop()
    exec(code, {})
    assert told.steps == []
    assert getattr(builtins, PROBE)(0) is None


def test_a_script_that_ends_in_an_error_leaves_no_mode_on() -> None:
    source = (
        SETUP + "for i in range(5):\n" + GRADIENTS + "    w = w - lr * dw\n    if i == 3: raise ValueError('stop')\n"
    )
    told = Told()
    watcher = LoopWatcher(told)
    watcher.start()
    with pytest.raises(ValueError, match="stop"):
        exec(instrument(source.encode(), "<s>"), {})
    watcher.stop()
    assert torch._C._len_torch_function_stack() == 0
    assert told.step == 3  # the fourth did not come to its end


def test_a_mode_of_the_users_own_sees_what_it_sees() -> None:
    source = (
        "from torch.overrides import TorchFunctionMode\n"
        "class Counting(TorchFunctionMode):\n"
        "    count = 0\n"
        "    def __torch_function__(self, function, types, args=(), kwargs=None):\n"
        "        Counting.count += 1\n"
        "        return function(*args, **(kwargs or {}))\n"
        + SETUP
        + "with Counting():\n    for i in range(50):\n"
        + GRADIENTS.replace("    ", "        ")
        + "        w = w - lr * dw\ncount = Counting.count\n"
    )
    space, told = run(source)
    assert space["count"] == run_plainly(source)["count"]
    assert told.step == 0


def test_memory_of_a_functions_variables_is_let_go() -> None:
    source = """
        import torch, weakref
        def train():
            torch.manual_seed(0)
            x, w = torch.randn(10, 3), torch.randn(3)
            gone = []
            for i in range(40):
                error = x @ w - 1
                gone.append(weakref.ref(error))
                loss = (error ** 2).mean()
                w = w - 0.1 * x.T @ error / 10
            return sum(each() is not None for each in gone)
        alive = train()
        """
    space, told = run(source)
    assert told.step == 40
    assert space["alive"] == run_plainly(source)["alive"] == 1


def test_the_operations_of_steps_are_told_with_names() -> None:
    source = SETUP + "for i in range(30):\n" + GRADIENTS + "    w = w - lr * dw\n"
    _, told = run(source, record=True)
    recorded = [event for event in told.events if isinstance(event, Operations)]
    assert [event.step for event in recorded] == list(range(1, 21))
    first = recorded[0].rows
    assert [row["name"] for row in first][:3] == ["matmul", "add", "sub"]
    assert [event.rows[0]["inputs"] for event in recorded] == [["x", "w"]] * 20
    assert [row["name"] for row in first][-2:] == ["mul", "sub"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_program_of_loops_gives_the_same(data: st.DataObject) -> None:
    source = "w = 20\nout = []\n" + _statements(data, 0, in_loop=False)
    plain: dict[str, Any] = {}
    exec(compile(source, "<s>", "exec"), plain)
    told = Told()
    watcher = LoopWatcher(told)
    watcher.start()
    watched: dict[str, Any] = {}
    try:
        exec(instrument(source.encode(), "<s>"), watched)
    finally:
        watcher.stop()
    assert watched["out"] == plain["out"]
    assert told.steps == []


def _statements(data: st.DataObject, depth: int, *, in_loop: bool) -> str:
    kinds = ["w = w - 1", "out.append(w)", "if w % 3 == 0:"]
    if depth < 3:
        kinds += ["for i in range(3):", "while w > 5:", "try:"]
    if in_loop:
        kinds += ["break", "continue"]
    pad = "    " * depth
    lines = []
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(kinds))
        lines.append(pad + kind)
        if kind.endswith(":"):
            loop = kind.startswith(("for", "while"))
            if kind.startswith("while"):
                lines.append(f"{pad}    w = w - 1")
            lines.append(
                _statements(data, depth + 1, in_loop=in_loop or loop).rstrip("\n") if depth < 3 else f"{pad}    pass"
            )
            if kind == "try:":
                lines += [f"{pad}finally:", f"{pad}    out.append('finally')"]
            elif loop and data.draw(st.booleans()):
                lines += [f"{pad}else:", f"{pad}    out.append('else')"]
    return "\n".join(lines) + "\n"


# --- what is told of a step ----------------------------------------------------------------------------------------------------


def of(told: Told, kind: type) -> list[Any]:
    return [event for event in told.events if isinstance(event, kind)]


LINES = """
for epoch in range(60):
    rows = x[:10]
    hidden = rows @ w
    error = hidden + b - y[:10]
    loss = (error ** 2).mean()
    shown = error.abs().max()
    dw = 2 * rows.T @ error / 10
    db = 2 * error.mean(0)
    w = w - lr * dw
    b = b - lr * db
"""


def test_phases_are_told_with_the_lines_that_do_them() -> None:
    _, told = run(SETUP + LINES)
    phases = of(told, PhaseTimes)
    first = SETUP.count("\n") + 2
    places = {"data": first + 1, "forward": first + 2, "loss": first + 4, "backward": first + 6, "update": first + 8}
    assert len(phases) > 20
    for event in phases:
        assert event.places == {phase: ("script.py", line) for phase, line in places.items()}
        assert all(seconds > 0 for seconds in event.seconds.values())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("loss = ((x @ w - y) ** 2).mean()\n    w -= lr * 2 * x.T @ (x @ w - y) / 20", ["forward", "loss", "update"]),
        (
            "error = x @ w - y\n    g = 2 * x.T @ error / 20\n    loss = (error ** 2).mean()\n    w -= lr * g",
            ["forward", "loss", "backward", "update"],
        ),
        (
            "error = x @ w - y\n    loss = (error ** 2).mean().item()\n    w -= lr * 2 * x.T @ error / 20",
            ["forward", "loss", "update"],
        ),
    ],
    ids=["two lines", "gradient before the loss", "a plain number"],
)
def test_phases_of_other_ways_to_write_it(body: str, expected: list[str]) -> None:
    _, told = run(f"{SETUP}\nfor epoch in range(30):\n    {body}\n")
    event = of(told, PhaseTimes)[-1]
    assert [phase for phase in PHASES if phase in event.seconds] == expected
    lines = [event.places[phase][1] for phase in expected]
    assert lines[-1] == max(lines)


def test_functions_of_other_files_are_placed_where_the_program_calls_them() -> None:
    space: dict[str, Any] = {}
    exec(compile("def mean(x):\n    return x.sum() / len(x)\n", "library.py", "exec"), space)
    builtins.library_mean = space["mean"]  # type: ignore[attr-defined]
    try:
        source = SETUP + (
            "for _ in range(9):\n    error = x @ w - y\n    loss = library_mean(error ** 2)\n"
            "    w -= lr * 2 * x.T @ error / 20\n"
        )
        _, told = run(source)
    finally:
        del builtins.library_mean  # type: ignore[attr-defined]
    line = SETUP.count("\n") + 3
    assert of(told, PhaseTimes)[-1].places["loss"] == ("script.py", line)


def test_the_data_of_a_step_is_known_by_its_variables() -> None:
    _, told = run(SETUP + LINES)
    seen = [(event.name, event.shape, event.dtype, event.device) for event in of(told, BatchSeen) if event.step == 1]
    assert seen == [("rows", (10, 3), "float32", "cpu")]
    hashes = {event.fingerprints for event in of(told, BatchSeen)}
    assert len(hashes) == 1  # the same rows at every step
    assert len(hashes.pop()) == 10


def test_steps_are_kept_in_full() -> None:
    space, told = run(SETUP + LINES)
    snapshots = of(told, Snapshot)
    assert [event.step for event in snapshots] == [1, 10]
    plain = run_plainly(SETUP + LINES.replace("60", "9"))
    last = snapshots[1].tensors
    assert set(last) == {"loss", "batch.x", "before.w", "before.b", "after.w", "after.b"}
    assert torch.equal(last["before.w"], plain["w"])
    assert torch.equal(last["before.b"], plain["b"])
    plain = run_plainly(SETUP + LINES.replace("60", "10"))
    assert torch.equal(last["after.w"], plain["w"])
    assert last["loss"] == plain["loss"]
    assert torch.equal(last["batch.x"], space["x"][:10])


class Kept:
    """Stands for what is kept of the values at both ends."""

    def __init__(self) -> None:
        self.first: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def begins(self, name: str, tensor: Tensor, *, moving: bool = False) -> None:
        assert moving
        assert name not in self.first
        self.first[name] = tensor.clone()

    def ends(self, name: str, tensor: Tensor) -> None:
        self.last[name] = tensor.clone()


@pytest.mark.parametrize("way", ["while", "break", "return"])
def test_both_ends_of_the_parameters_are_told(way: str) -> None:
    kept = Kept()
    source = {
        "while": SETUP + LINES,
        "break": SETUP + LINES + "    if epoch == 40:\n        break\n",
        "return": SETUP + "def train(w, b):\n" + indent(LINES + "    if epoch == 40:\n        return w, b\n", "    "),
    }[way]
    source += "w, b = train(w, b)\n" if way == "return" else ""
    space, _ = run(source, ends=kept)
    begun = run_plainly(SETUP)
    for name in "wb":
        assert torch.equal(kept.first[name], begun[name])
        assert torch.equal(kept.last[name], space[name])
