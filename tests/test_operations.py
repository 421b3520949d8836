import gc
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from descend.record.events import Event, Operations, Unseen
from descend.record.values import to_json
from descend.watch.function_mode import tap
from descend.watch.operations import OperationRecorder
from descend.watch.recording import Recording

operations = sys.modules[OperationRecorder.__module__]

HERE = __file__


class Names:
    """Names of tensors by identity, as the observer gives them."""

    def __init__(self, **tensors: Tensor) -> None:
        self.known = {id(tensor): name.replace("__", ".") for name, tensor in tensors.items()}

    def __call__(self, tensor: Tensor) -> str:
        return self.known.get(id(tensor), "")

    def of_module(self, module: nn.Module) -> "Names":
        self.known |= {id(parameter): name for name, parameter in module.named_parameters()}
        return self


def record(step: Callable[[], Any], names: Callable[[Tensor], str] = lambda tensor: "") -> list[Mapping[str, Any]]:
    told: list[Event] = []
    recorder = OperationRecorder(told.append, names, lambda file: file == HERE)
    recorder.begin_step(1)
    try:
        step()
    finally:
        recorder.end_step(1)
        recorder.close()
    assert torch._C._len_torch_function_stack() == 0
    rows: list[Mapping[str, Any]] = []
    for event in told:
        assert isinstance(event, Operations)
        assert event.step == 1
        rows += event.rows
    to_json(rows)
    return rows


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.act = nn.ReLU(inplace=True)
        self.tail = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.tail(self.act(self.fc1(x)))
        return out * 2


# --- what is told ------------------------------------------------------------------------------------------------------------


def test_operations_of_a_network_in_order_with_their_owners() -> None:
    torch.manual_seed(0)
    net, x, y = Net(), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    rows = record(lambda: F.cross_entropy(net(x), y).backward(), Names(x=x).of_module(net))
    assert [(row["name"], row["module"], row["inputs"], row["shapes"]) for row in rows] == [
        ("linear", "fc1", ["x", "fc1.weight", "fc1.bias"], [[5, 4]]),
        ("relu", "act", [0], [[5, 4]]),
        ("dropout", "tail.0", [1], [[5, 4]]),
        ("linear", "tail.1", [2, "tail.1.weight", "tail.1.bias"], [[5, 2]]),
        ("mul", "Net", [3], [[5, 2]]),
        ("cross_entropy", "", [4, "outside.0"], [[]]),
        ("backward", "", [5], []),
    ]
    assert [row["index"] for row in rows] == list(range(7))
    assert {row["file"] for row in rows} == {HERE}
    assert rows[4]["constants"] == {"1": 2}
    line = next(
        number for number, text in enumerate(Path(HERE).read_text().splitlines(), 1) if "self.tail(self.act" in text
    )
    assert [row["line"] for row in rows[:5]] == [line] * 4 + [line + 1]


def test_values_of_small_outputs_and_summaries_of_large_ones() -> None:
    x = torch.arange(16.0).reshape(4, 4)
    large = torch.randn(100, 3, dtype=torch.float64)
    whole = torch.arange(40)
    rows = record(lambda: (x + 1, large * 2, whole > 3, whole.sum()))
    assert rows[0]["values"] == (x + 1).tolist()
    for key, expected in {
        "least": (large * 2).min(),
        "mean": (large * 2).mean(),
        "most": (large * 2).max(),
        "std": (large * 2).std(),
    }.items():
        assert rows[1][key] == pytest.approx(expected.item(), rel=1e-12)
    assert rows[1]["dtype"] == "float64"
    assert rows[2]["dtype"] == "bool"
    assert rows[2]["mean"] == pytest.approx(36 / 40)
    assert rows[3]["values"] == 780
    assert "values" not in rows[1]
    assert "least" not in rows[0]


def test_values_are_those_of_the_moment() -> None:
    def step() -> None:
        z = x * 2
        z.zero_()
        z += 1

    x = torch.tensor([1.0, 2.0])
    rows = record(step)
    assert [(row["name"], row["values"], row["inputs"]) for row in rows] == [
        ("mul", [2.0, 4.0], ["outside.0"]),
        ("zero_", [0.0, 0.0], [0]),
        ("add_", [1.0, 1.0], [1]),
    ]


def test_writing_through_a_view_is_seen_in_the_whole() -> None:
    def step() -> None:
        row = z[0]
        row.add_(1)
        z.sum()
        z.data.mul_(3)
        z.mean()

    z = torch.zeros(2, 2)
    rows = record(step, Names(z=z))
    assert [(row["name"], row["inputs"]) for row in rows] == [
        ("getitem", ["z"]),
        ("add_", [0]),
        ("sum", [1]),
        ("mul_", [1]),
        ("mean", [3]),
    ]


def test_a_variable_bound_anew_is_another_tensor() -> None:
    def step() -> None:
        w = start
        for _ in range(2):
            w = w - 1

    start = torch.zeros(3)
    assert [row["inputs"] for row in record(step, Names(w=start))] == [["w"], [0]]


def test_updates_by_hand_with_gradients_by_name() -> None:
    def step() -> None:
        (w * x).sum().backward()
        assert w.grad is not None
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            w.grad.zero_()

    x, w = torch.ones(3), torch.zeros(3, requires_grad=True)
    rows = record(step, Names(w=w, x=x))
    assert [(row["name"], row["inputs"]) for row in rows] == [
        ("mul", ["w", "x"]),
        ("sum", [0]),
        ("backward", [1]),
        ("mul", ["w.grad"]),
        ("sub_", ["w", 3]),
        ("zero_", ["w.grad"]),
    ]


def test_several_outputs_and_lists_of_inputs() -> None:
    rows = record(lambda: torch.cat(torch.arange(6.0).split(4)))
    assert [(row["name"], row["inputs"], row["shapes"]) for row in rows] == [
        ("arange", [], [[6]]),
        ("split", [0], [[4], [2]]),
        ("cat", [1, 1], [[6]]),
    ]


def test_a_name_learnt_during_the_step_is_told() -> None:
    names, w = Names(), torch.ones(2)

    def step() -> None:
        w * 2
        names.known[id(w)] = "w"

    assert record(step, names)[0]["inputs"] == ["w"]


def test_a_module_is_named_as_its_parameters_are() -> None:
    net = Net()
    names = Names()
    names.known = {id(parameter): f"student.{name}" for name, parameter in net.named_parameters()}
    assert [row["module"] for row in record(lambda: net(torch.ones(1, 3)), names)][1:] == [
        "student.fc1",
        "student.act",
        "student.tail.0",
        "student.tail.1",
        "student",
    ]


def test_a_module_that_fails_no_longer_owns_what_follows() -> None:
    class Failing(nn.Module):
        def forward(self, _: Tensor) -> Tensor:
            raise ValueError

    def step() -> None:
        with pytest.raises(ValueError):
            Failing()(torch.ones(2))
        torch.ones(2)

    assert record(step)[-1]["module"] == ""


def test_a_step_with_more_operations_than_are_kept_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (operations, sys.modules[Recording.__module__]):
        monkeypatch.setattr(module, "MOST", 3)
    told: list[Event] = []
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    for step in (1, 2):
        recorder.begin_step(step)
        for _ in range(5):
            torch.ones(1)
        recorder.end_step(step)
    assert [len(event.rows) for event in told if isinstance(event, Operations)] == [3, 3]
    assert [event for event in told if isinstance(event, Unseen)] == [
        Unseen("operations", "from step 1: a step has more than 3 of them")
    ]


def test_steps_that_nobody_began_or_that_were_dropped_tell_nothing() -> None:
    told: list[Event] = []
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    recorder.end_step(1)
    recorder.begin_step(1)
    torch.ones(1)
    recorder.drop_step()
    recorder.end_step(1)
    recorder.begin_step(2)
    torch.ones(1)
    recorder.begin_step(3)
    torch.zeros(1)
    recorder.end_step(3)
    recorder.close()
    assert [(event.step, [row["name"] for row in event.rows]) for event in told if isinstance(event, Operations)] == [
        (3, ["zeros"])
    ]


def test_two_recordings_at_once() -> None:
    told: list[Operations] = []
    recorder = OperationRecorder(told.append, Names(), lambda file: True)  # type: ignore[arg-type]
    recorder.begin_step(1)
    torch.ones(2)
    x = torch.zeros(2)
    aside = recorder.begin_aside(7, Names(x=x))
    assert aside is not None
    y = nn.Identity()(x) + 1
    recorder.end_aside(aside, 7)
    y.sum()
    recorder.end_step(1)
    recorder.close()
    assert [(event.step, [(row["name"], row["inputs"]) for row in event.rows]) for event in told] == [
        (7, [("add", ["x"])]),
        (1, [("ones", []), ("zeros", []), ("add", [1]), ("sum", [2])]),
    ]


def test_odd_tensors_have_no_values() -> None:
    def step() -> None:
        torch.ones(2, dtype=torch.complex64) * 2
        torch.ones(2, device="meta") * 2
        torch.eye(3).to_sparse() * 2
        torch.zeros(0) * 2
        torch.tensor([float("nan")]) * 2

    assert [row.get("values") for row in record(step) if row["name"] == "mul"][:4] == [None, None, None, []]


# --- nothing changes ---------------------------------------------------------------------------------------------------------


def _train(steps: int, *, autocast: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(3)
    net = nn.Sequential(Net(), nn.BatchNorm1d(2), nn.Dropout(0.2))
    optimizer = torch.optim.AdamW(net.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
            loss = F.cross_entropy(net(torch.randn(8, 3)), torch.randint(2, (8,)))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return {**net.state_dict(), "random": torch.get_rng_state(), "loss": loss.detach()}


@pytest.mark.parametrize("autocast", [False, True])
def test_results_and_random_numbers_are_the_same(autocast: bool) -> None:
    plain = _train(3, autocast=autocast)
    found: dict[str, Tensor] = {}
    rows = record(lambda: found.update(_train(3, autocast=autocast)))
    assert sum(row["name"] == "cross_entropy" for row in rows) == 3
    assert plain.keys() == found.keys()
    assert all(torch.equal(plain[name], found[name]) for name in plain)


def test_attention_takes_the_path_it_takes_alone() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x = torch.randn(2, 5, 16)
    found: list[Tensor] = []
    with torch.no_grad():
        plain = layer(x)
        rows = record(lambda: found.append(layer(x)))
    assert torch.equal(plain, found[0])
    assert "_transformer_encoder_layer_fwd" in [row["name"] for row in rows]


def test_nothing_is_kept_alive() -> None:
    told: list[Event] = []
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    references = []

    def step() -> None:
        x = torch.randn(100, requires_grad=True)
        for z in (x * 2, (x * 3).relu_(), x.view(10, 10)):
            references.append(weakref.ref(z))
        z.sum().backward()

    recorder.begin_step(1)
    step()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3  # already during the step
    recorder.end_step(1)


def test_torch_func_transforms_work() -> None:
    def loss(w: Tensor, x: Tensor) -> Tensor:
        return ((x @ w) ** 2).sum()

    w, x = torch.ones(3), torch.randn(4, 3)
    expected = torch.func.grad(loss)(w, x)
    found: list[Tensor] = []

    def step() -> None:
        found.append(torch.func.grad(loss)(w, x))
        found.append(torch.func.vmap(torch.func.grad(loss), (None, 0))(w, x).sum(0))

    rows = record(step)
    assert torch.equal(found[0], expected)
    torch.testing.assert_close(found[1], expected)
    assert "matmul" in [row["name"] for row in rows]


def test_a_custom_function_runs_and_its_parts_are_seen() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
            return 2 * context.saved_tensors[0] * gradient

    x = torch.tensor([3.0], requires_grad=True)
    record(lambda: Square.apply(x).sum().backward())  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.item() == 6


def test_warnings_name_the_users_line_and_come_once() -> None:
    def odd() -> None:
        F.mse_loss(torch.zeros(3), torch.zeros(3, 1))
        F.softmax(torch.zeros(3))
        nn.Softmax()(torch.zeros(3))
        torch.nn.functional.tanh(torch.zeros(3))
        torch.range(0, 1)

    def said(run: Callable[[], object]) -> list[tuple[str, int, type[Warning]]]:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            run()
        return [(warning.filename, warning.lineno, warning.category) for warning in found]

    plain = said(odd)
    assert len(plain) >= 4
    assert said(lambda: record(odd)) == plain

    def twice() -> None:
        for _ in range(2):
            odd()

    def each() -> None:
        odd()
        record(odd)

    with warnings.catch_warnings(record=True) as alone:
        warnings.simplefilter("default")
        twice()
    globals().pop("__warningregistry__", None)
    with warnings.catch_warnings(record=True) as watched:
        warnings.simplefilter("default")
        each()
    assert len(watched) == len(alone)
    assert warnings.warn.__module__ in ("warnings", "_warnings")


def test_a_traceback_shows_each_line_once() -> None:
    def step() -> None:
        torch.zeros(3) @ torch.zeros(4)

    with pytest.raises(RuntimeError) as error:
        record(step)
    files = [frame.filename for frame in traceback.extract_tb(error.tb) if frame.name != "record"]
    shown = [file for file in files if "/descend/" not in file and "_pytest" not in file]
    assert shown.count(HERE) == 2  # this function and the step


def test_another_thread_is_not_heard() -> None:
    def step() -> None:
        thread = threading.Thread(target=lambda: Net()(torch.ones(1, 3)))
        thread.start()
        thread.join()
        torch.ones(1)

    assert [row["name"] for row in record(step)] == ["ones"]


def test_two_threads_at_once() -> None:
    told: list[Operations] = []
    recorder = OperationRecorder(told.append, Names(), lambda file: True)  # type: ignore[arg-type]
    together = threading.Barrier(2)

    def work(step: int, size: int) -> None:
        together.wait()
        recorder.begin_step(step)
        together.wait()
        nn.Linear(size, 1)(torch.ones(size))
        together.wait()
        recorder.end_step(step)

    threads = [threading.Thread(target=work, args=(step, step + 1)) for step in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    found = {event.step: event.rows for event in told}
    assert {step: [row["shapes"] for row in rows if row["name"] == "ones"] for step, rows in found.items()} == {
        1: [[[2]]],
        2: [[[3]]],
    }
    assert all(rows[-1]["module"] == "Linear" for rows in found.values())


# --- modes of the user's own -------------------------------------------------------------------------------------------------


class Counting(TorchFunctionMode):
    def __init__(self) -> None:
        self.names: list[str] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(function.__name__)
        return function(*args, **(kwargs or {}))


class Dispatching(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.fixture
def told() -> Iterator[list[Event]]:
    yield []
    assert torch._C._len_torch_function_stack() == 0
    assert not tap().waiting


@pytest.mark.parametrize(
    ("kind", "why"),
    [(Counting, "a function mode of the script was on"), (Dispatching, "a dispatch mode of the script was on")],
)
def test_inside_a_mode_of_the_users_nothing_is_recorded(told: list[Event], kind: Any, why: str) -> None:
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    with kind() as mode:
        for step in (1, 2):
            recorder.begin_step(step)
            torch.ones(2) + 1
            recorder.end_step(step)
    assert len(mode.names) == 4
    assert told == [Unseen("operations", f"from step 1: {why}")]
    recorder.begin_step(3)
    torch.ones(2)
    recorder.end_step(3)
    assert isinstance(told[-1], Operations)


@pytest.mark.parametrize("kind", [Counting, Dispatching])
def test_a_mode_inside_a_step_sees_only_the_users_operations(told: list[Event], kind: Any) -> None:
    def work() -> list[str]:
        with kind() as mode:
            Net()(torch.ones(1, 3)).sum().backward()
        return mode.names  # type: ignore[no-any-return]

    expected = work()
    found: list[list[str]] = []
    rows = record(lambda: found.append(work()))
    assert found == [expected]
    assert "linear" in [row["name"] for row in rows]


def test_a_mode_that_outlives_the_step_stays_on(told: list[Event]) -> None:
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    recorder.begin_step(1)
    mode = Counting()
    mode.__enter__()
    torch.ones(1)
    recorder.end_step(1)
    assert tap().waiting
    torch.zeros(1)
    recorder.begin_step(2)
    torch.zeros(1)
    recorder.end_step(2)
    mode.__exit__(None, None, None)
    torch.zeros(1)
    assert mode.names == ["ones", "zeros", "zeros"]
    recorder.begin_step(3)
    torch.full((1,), 2.0)
    recorder.end_step(3)
    assert [[row["name"] for row in event.rows] for event in told if isinstance(event, Operations)][-1] == ["full"]
    recorder.close()


def test_with_a_default_device_operations_are_recorded(told: list[Event]) -> None:
    torch.set_default_device("cpu")
    try:
        recorder = OperationRecorder(told.append, Names(), lambda file: True)
        recorder.begin_step(1)
        torch.ones(1)
        torch.set_default_device(None)
        recorder.end_step(1)
    finally:
        torch.set_default_device(None)
    assert [row["name"] for row in told[0].rows] == ["ones"]  # type: ignore[union-attr]


def test_a_subclass_of_the_users_is_let_through() -> None:
    class Named(Tensor):
        calls = 0

        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            Named.calls += 1
            return super().__torch_function__(function, types, args, kwargs or {})

    def step() -> None:
        (torch.ones(3).as_subclass(Named) * 2).sum()

    step()
    expected, Named.calls = Named.calls, 0
    rows = record(step)
    assert Named.calls == expected
    assert [row["name"] for row in rows] == ["ones", "mul", "sum"]


def test_the_compiler_is_not_disturbed() -> None:
    import torch._dynamo.testing

    torch._dynamo.reset()
    told: list[Event] = []
    counter = torch._dynamo.testing.CompileCounter()
    recorder = OperationRecorder(told.append, Names(), lambda file: True)
    compiled = torch.compile(lambda x: (x * 2).relu().sum(), backend=counter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(1, 4):
            recorder.begin_step(step)
            assert compiled(torch.ones(3)).item() == 6
            recorder.end_step(step)
    assert counter.frame_count == 1
    assert told == [Unseen("operations", "from step 1: the script uses torch.compile")]
    torch._dynamo.reset()


def test_a_function_compiled_inside_a_recorded_step_still_works() -> None:
    import torch._dynamo

    torch._dynamo.reset()
    found: list[Tensor] = []

    def step() -> None:
        found.append(torch.compile(lambda x: (x * 2).relu().sum(), backend="eager")(torch.ones(3)))

    record(step)
    assert found[0].item() == 6
    torch._dynamo.reset()
