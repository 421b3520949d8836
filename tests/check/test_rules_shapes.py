"""Rules of shapes and axes (D201 to D205): on programs, on records made by hand, and the parts that they are made of."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.axes import Examples, after, through_view
from descend.check.chance import smaller_by_chance
from descend.check.evidence import Evidence
from descend.check.examples import is_turned, mixings
from descend.check.finding import CannotCheck, Finding
from descend.check.graph import Operation
from descend.check.layout import Rearranged
from descend.check.rule import Rule
from descend.check.shapes import Broadcast
from descend.check.shapes_axes import Mixed, WrongAxis, WrongLayer
from descend.record.events import Event, Fact, Operations, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer
from descend.watch.facts.layouts import exchanged_axis
from descend.watch.facts.readings import floors

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D20")]
TUTORIAL = """import torch
x = torch.tensor([[2, 4, 6, 8, 10], [6, 7, 8, 7.5, 8]]).reshape(5, 2)
y = torch.tensor([75, 80, 90, 94, 98.0])
"""


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unchecked"] if "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


def finding(stem: str, code: str, *arguments: str) -> dict[str, Any]:
    """The first finding of a code in a program."""
    found = examine_program(KNOWN / f"{stem}.py", arguments)["findings"]
    return next(each for each in found if each["code"] == code)


def test_words_of_a_broadcast() -> None:
    found = finding("D201_faulty_module", "D201")
    assert found["title"] == "prediction (30, 1) and target (30,) broadcast to (30, 30)"
    assert found["message"].startswith("Every prediction is compared with every target, so the loss is least where all")
    assert found["evidence"]["compared"] == "900 pairs instead of 30"
    assert found["fix"] == "error = model(x).squeeze(-1) - y"


def test_words_of_a_reshape() -> None:
    found = finding("D202_faulty_tensors", "D202")
    torch.manual_seed(2)
    table = torch.stack([torch.rand(40) * 9, torch.rand(40) * 12, torch.rand(40) * 3]).numpy()
    noise = torch.randn(40).numpy()
    harvest = (
        np.float32(2) * table[0] + np.float32(1.5) * table[1] - np.float32(0.5) * table[2] + np.float32(0.3) * noise
    )
    reshaped, transposed = least_squares(table.reshape(40, 3), harvest), least_squares(table.T, harvest)
    assert found["title"] == "view makes (40, 3) of (3, 40): the rows of x are no longer examples"
    assert found["evidence"]["before"] == "(3, 40), the 40 examples along axis 1"
    # The fit sees the data as they came to be trained on: all numbers scaled alike, which no linear fit with a bias minds.
    assert float(found["evidence"]["floor as reshaped"]) == pytest.approx(reshaped, rel=1e-3)
    assert float(found["evidence"]["floor as transposed"]) == pytest.approx(transposed, rel=1e-3)
    assert found["message"].startswith(
        "A view or reshape moves no number, so each row mixes numbers of several examples."
    )
    assert found["fix"] == "x = table.T"


def test_words_of_examples_torn_apart_and_of_heads() -> None:
    torn = finding("D202_faulty_sequence", "D202")
    assert torn["title"] == "reshape makes (30, 56) of (7, 30, 8): its rows are no longer examples"
    assert torn["fix"] == ".movedim(1, 0).reshape(30, -1) instead of .reshape(30, -1)"
    heads = finding("D202_faulty_heads", "D202")
    assert heads["title"] == "reshape makes (16, 3, 5, 4) of (16, 5, 12): axes change places and no number does"
    assert heads["fix"] == (
        ".reshape(batch, length, self.heads, self.each).transpose(1, 2) instead of "
        ".reshape(batch, self.heads, length, self.each)"
    )


def test_words_of_a_statistic_of_the_batch() -> None:
    found = finding("D203_faulty_centred", "D203")
    assert found["title"] == "the row of each example is put together with a statistic of all 16 in its batch"
    assert found["message"].startswith("What the model answers for one example depends on the others of its batch")
    assert found["fix"] == "take it along the features (dim=-1, keepdim=True), or use BatchNorm"
    found = finding("D203_faulty_running_sum", "D203")
    assert found["title"] == "cumsum runs along the 40 examples of the batch"


def test_words_of_wrong_axes() -> None:
    rows = finding("D204_faulty_softmax", "D204")
    assert rows["title"] == "log_softmax runs over the 45 examples of the batch (axis 0 of (45, 3))"
    assert rows["fix"] == "logs = model(points).log_softmax(1)"
    one = finding("D204_faulty_one_output", "D204")
    assert one["title"] == "softmax over axis 1 of (16, 1), which has one element: it always gives 1"
    assert one["fix"] == "use sigmoid for a single output"
    reads = finding("D204_faulty_lstm", "D204")
    assert reads["title"].startswith(
        "LSTM takes the 20 examples of the batch for steps of time: its input is (20, 9, 2)"
    )
    assert reads["fix"] == "self.lstm = nn.LSTM(input_size=2, hidden_size=6, batch_first=True)"
    assert finding("D204_faulty_transformer", "D204")["title"].startswith(
        "attention takes the 32 examples of the batch"
    )
    channels = finding("D204_faulty_channels", "D204")
    assert channels["title"] == "conv2d takes the 12 rows of the images for channels: its input is (20, 12, 12, 3)"


def test_words_of_layers_for_other_data() -> None:
    found = finding("D205_faulty_words", "D205")
    assert found["title"] == "Dropout2d is given (36, 7, 10), which it is not made for"
    assert found["message"] == "It takes axis 1 for channels and drops all 10 numbers of an element at once."
    assert finding("D205_faulty_rows", "D205")["message"].endswith("it sets whole examples to zero.")


# What the readings are compared by.


def least_squares(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """The mean of squares that a linear model with a bias leaves, by NumPy."""
    columns = np.column_stack([x.astype(float), np.ones(len(x))])
    found = np.linalg.lstsq(columns, y.astype(float), rcond=None)[0]
    return float(np.mean((y - columns @ found) ** 2))


def test_floors_of_the_tutorial_that_reshapes() -> None:
    before = torch.tensor([[2, 4, 6, 8, 10], [6, 7, 8, 7.5, 8]])
    y = torch.tensor([75.0, 80, 90, 94, 98])
    found = floors(before.reshape(5, 2), (2, 5), 1, y)
    assert (round(found["floor"], 4), round(found["transposed"], 4)) == (27.4162, 1.3084)
    assert found["spread"] == pytest.approx(y.double().var(unbiased=False).item())


@given(seed=st.integers(0, 1000), rows=st.integers(8, 40), columns=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_floors_are_those_of_numpy(seed: int, rows: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn(columns, rows, generator=generator)
    y = torch.randn(rows, generator=generator)
    found = floors(before.reshape(rows, columns), (columns, rows), 1, y)
    assert found["columns"] == columns
    assert found["floor"] == pytest.approx(least_squares(before.reshape(rows, columns).numpy(), y.numpy()), rel=1e-6)
    assert found["transposed"] == pytest.approx(least_squares(before.T.numpy(), y.numpy()), rel=1e-6)


def test_labels_are_fitted_as_indicators_and_dependent_columns_once() -> None:
    labels = torch.arange(30) % 3
    before = torch.nn.functional.one_hot(labels, 3).float().T.contiguous()  # tells the labels; its columns add up to 1
    found = floors(before.reshape(30, 3), (3, 30), 1, labels)
    assert found["classes"] == 3
    assert found["transposed"] == pytest.approx(0, abs=1e-20)
    assert found["floor"] > 0.05


def test_too_few_rows_and_numbers_that_are_none_are_not_fitted() -> None:
    assert floors(torch.randn(4, 3), (3, 4), 1, torch.randn(4))["columns"] == 1  # as many as four rows can bear
    assert floors(torch.randn(3, 2), (2, 3), 1, torch.randn(3))["floor"] is None
    assert floors(torch.ones(20, 2), (2, 20), 1, torch.randn(20))["floor"] is None
    broken = torch.randn(20, 2)
    broken[0, 0] = math.nan
    assert floors(broken, (2, 20), 1, torch.randn(20))["floor"] is None


@given(n=st.integers(8, 60), k=st.integers(1, 5), ratio=st.floats(0.05, 0.95))
@settings(max_examples=15, deadline=None)
def test_chance_is_what_drawing_gives(n: int, k: int, ratio: float) -> None:
    a, b = (n - k - 1) / 2, k / 2
    drawn = np.random.default_rng(0).beta(a, b, (2, 200_000))
    expected = float((drawn[0] <= ratio * drawn[1]).mean())
    assert smaller_by_chance(ratio, a, b) == pytest.approx(expected, abs=0.005)


def test_chance_of_a_ratio_of_two_uniform_numbers() -> None:
    assert smaller_by_chance(1 / 20, 1, 1) == pytest.approx(1 / 40, rel=1e-3)
    assert smaller_by_chance(1, 3, 2) == pytest.approx(0.5, abs=1e-3)
    assert smaller_by_chance(0, 3, 2) == 0


# Where the examples are.


@pytest.mark.parametrize(
    ("before", "shape", "axis"),
    [
        ((2, 5), (5, 2), 1),
        ((3, 28, 28, 60), (60, 3, 28, 28), 3),
        ((7, 30, 8), (30, 56), 1),
        ((2, 5), (5, 1, 2), 1),
        ((64, 5), (32, 2, 5), None),  # groups of whole rows
        ((320, 32), (32, 10, 32), None),  # tokens of 32 examples, 32 wide
        ((5, 2), (5, 2), None),
        ((10,), (5, 2), None),
        ((1, 5), (5, 1), None),  # one row: nothing is torn
        ((3, 4, 4), (4, 12), None),  # either axis could be meant
        ((0, 5), (5, 0), None),
    ],
)
def test_axes_that_a_view_exchanges(before: tuple[int, ...], shape: tuple[int, ...], axis: int | None) -> None:
    assert exchanged_axis(before, shape) == axis


def held(tensor: torch.Tensor, examples: Examples | None) -> bool:
    """Whether each place of a tensor of example numbers holds the number that ``examples`` says."""
    assert examples is not None
    places = torch.arange(tensor.shape[examples.axis]) // examples.inner % examples.count
    shape = [1] * tensor.ndim
    shape[examples.axis] = -1
    return bool((tensor == places.reshape(shape)).all())


def numbered(shape: tuple[int, ...], axis: int) -> torch.Tensor:
    """A tensor whose numbers are the places along one axis."""
    places = torch.arange(shape[axis]).reshape([-1 if each == axis else 1 for each in range(len(shape))])
    return places.expand(shape).contiguous()


SHAPES = [
    (6, 5, 4),
    (6, 20),
    (30, 4),
    (6, 4, 5),
    (120,),
    (4, 6, 5),
    (2, 3, 5, 4),
    (6, 5, 2, 2),
    (5, 6, 4),
    (12, 10),
    (20, 6),
]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_views_keep_the_examples_where_pytorch_has_them(shape: tuple[int, ...], axis: int) -> None:
    before = (6, 5, 4)
    viewed = numbered(before, axis).reshape(shape)
    examples = through_view(Examples(axis, before[axis]), before, shape)
    if examples is not None:
        assert held(viewed, examples)
    else:  # no single axis tells the example: along each, the same place holds several
        for each in range(len(shape)):
            rows = viewed.movedim(each, 0).reshape(shape[each], -1)
            assert not all(len(row.unique()) == 1 for row in rows)


def operation(name: str, output: torch.Tensor, *inputs: torch.Tensor, **constants: Any) -> Operation:
    return Operation(
        step=1,
        index=0,
        name=name,
        module="",
        file="train.py",
        line=2,
        inputs=tuple(f"outside.{each}" for each in range(len(inputs))),
        input_shapes=tuple(tuple(each.shape) for each in inputs),
        input_dtypes=("float32",) * len(inputs),
        input_tracked=(True,) * len(inputs),
        shapes=(tuple(output.shape),),
        dtype="float32",
        tracked=True,
        constants={key.removeprefix("at_"): value for key, value in constants.items()},
    )


X = numbered((6, 5, 4), 0)


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (operation("transpose", X.transpose(0, 1), X, at_1=0, at_2=1), X.transpose(0, 1)),
        (operation("transpose", X.transpose(-1, 0), X, dim0=-1, dim1=0), X.transpose(-1, 0)),
        (operation("permute", X.permute(2, 0, 1), X, at_1=2, at_2=0, at_3=1), X.permute(2, 0, 1)),
        (operation("permute", X.permute(1, 2, 0), X, dims=[1, 2, 0]), X.permute(1, 2, 0)),
        (operation("movedim", X.movedim(0, 2), X, at_1=0, at_2=2), X.movedim(0, 2)),
        (operation("mT", X.mT, X), X.mT),
        (operation("unsqueeze", X.unsqueeze(0), X, at_1=0), X.unsqueeze(0)),
        (operation("unsqueeze", X.unsqueeze(-1), X, at_1=-1), X.unsqueeze(-1)),
        (operation("squeeze", X[:, :1].squeeze(1), X[:, :1], at_1=1), X[:, :1].squeeze(1)),
        (operation("flatten", X.flatten(1), X, at_1=1), X.flatten(1)),
        (operation("flatten", X.flatten(0, 1), X, at_1=0, at_2=1), X.flatten(0, 1)),
        (operation("amax", X.amax(1), X, at_1=1), X.amax(1)),
        (operation("amax", X.amax((1, 2), keepdim=True), X, at_1=[1, 2], keepdim=True), X.amax((1, 2), keepdim=True)),
        (operation("getitem", X[:, -1], X, at_1=":, -1"), X[:, -1]),
        (operation("getitem", X[:, None], X, at_1=":, None"), X[:, None]),
        (operation("getitem", X[..., 0], X, at_1="..., 0"), X[..., 0]),
        (operation("select", X.select(1, 2), X, at_1=1, at_2=2), X.select(1, 2)),
        (operation("add", X + torch.zeros(2, 6, 5, 4), X, torch.zeros(2, 6, 5, 4)), X + torch.zeros(2, 6, 5, 4).long()),
        (operation("stack", torch.stack([X, X]), X, X), torch.stack([X, X])),
        (operation("cat", torch.cat([X, X], 1), X, X, at_1=1), torch.cat([X, X], 1)),
        (operation("relu", X, X), X),
    ],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_operations_put_the_examples_where_pytorch_does(made: Operation, kept: torch.Tensor) -> None:
    given: list[Examples | None] = [Examples(0, 6)] * (2 if made.name in ("stack", "cat") else 1)
    assert held(kept, after(made, given)[0])


@pytest.mark.parametrize(
    "made",
    [
        operation("mean", X.float().mean(0), X, at_1=0),
        operation("mean", X.float().mean(), X),
        operation("getitem", X[0], X, at_1=0),
        operation("getitem", X[2:4], X, at_1="2:4"),
        operation("cat", torch.cat([X, X]), X, X),
        operation("linear", torch.zeros(6, 5, 4), X.permute(1, 2, 0), X),
    ],
    ids=lambda made: made.name,
)
def test_examples_are_lost_where_they_are_summed_or_chosen(made: Operation) -> None:
    place = 2 if made.name == "linear" else 0
    assert after(made, [Examples(place, 6)] * len(made.inputs))[0] is None


def test_pairs_of_examples_are_not_taken_for_examples() -> None:
    rows = torch.zeros(6, 4)
    both = operation("matmul", rows @ rows.T, rows, rows.T)
    assert after(both, [Examples(0, 6), Examples(1, 6)]) == [None]
    assert after(operation("matmul", rows @ torch.zeros(4, 3), rows, torch.zeros(4, 3)), [Examples(0, 6), None]) == [
        Examples(0, 6)
    ]
    batch = torch.zeros(6, 5, 4)
    assert after(operation("bmm", batch @ batch.mT, batch, batch.mT), [Examples(0, 6)] * 2) == [Examples(0, 6)]
    named = operation("einsum", torch.zeros(5, 6), batch, torch.zeros(4), at_0="ntd,d->tn")
    assert after(named, [Examples(0, 6), None]) == [Examples(1, 6)]


def test_axes_within_an_example() -> None:
    assert is_turned((8, 12, 10), (8, 10, 12))
    assert is_turned((8, 5, 12), (8, 3, 5, 4))
    assert not is_turned((8, 5, 12), (8, 5, 3, 4))
    assert not is_turned((8, 28, 28, 1), (8, 1, 28, 28))  # one channel: nothing moves
    assert not is_turned((8, 784), (8, 28, 28))
    assert not is_turned((8, 12, 10), (80, 12))


# Records made by hand.


def evidence_of(folder: Path, *events: Event, source: str = TUTORIAL) -> Iterator[Evidence]:
    folder.mkdir(exist_ok=True)
    with Writer(folder) as writer:
        writer(RunStarted("train-1", "run", "train.py", {}, (), {}, None, (), None, None, {"train.py": source}))
        for event in events:
            writer(event)
        writer(RunEnded("finished", {}))
    with Reader(folder) as reader:
        yield Evidence(reader)


def look(rule: Rule, folder: Path, *events: Event) -> list[Finding]:
    return next(list(rule.look(each)) for each in evidence_of(folder, *events))


def exchanged(**others: Any) -> Fact:
    values = {
        "before": [2, 5],
        "after": [5, 2],
        "axis": 1,
        "how": "",
        "x": "x",
        "y": "y",
        "altered": False,
        "rows": 5,
        "columns": 2,
        "of_columns": 2,
        "outputs": 1,
        "classes": 0,
        "spread": 74.24,
        "floor": 27.4162,
        "transposed": 1.3084,
    }
    return Fact(1, "exchanged", values | others)


def test_the_line_of_a_reshape_that_nobody_heard_is_found_in_the_text(tmp_path: Path) -> None:
    [found] = look(Rearranged(), tmp_path, exchanged())
    assert found.level == "bug"
    assert found.where is not None
    assert found.where.line == 2
    assert found.evidence["floor as reshaped"] == "27.4162"
    assert found.evidence["floor as transposed"] == "1.3084"
    assert found.fix == "x = torch.tensor([[2, 4, 6, 8, 10], [6, 7, 8, 7.5, 8]]).T"


@pytest.mark.parametrize(
    "others",
    [
        {"floor": 20.0, "transposed": 1.3084},  # odds of 911 to one
        {"rows": 400, "floor": 1.9, "transposed": 1.0},  # sure, and not half
        {"rows": 20, "columns": 10, "floor": 2.02, "transposed": 1.0},  # by chance in 8 of 100 cases
        {"rows": 5, "columns": 3, "floor": 27.4, "transposed": 0.0001},  # one row left over
        {"floor": None, "transposed": None, "spread": None},
    ],
)
def test_what_is_not_beyond_doubt_is_only_likely(tmp_path: Path, others: Mapping[str, Any]) -> None:
    [found] = look(Rearranged(), tmp_path, exchanged(**others))
    assert found.level == "likely"


def test_rows_that_fit_as_they_are_are_left_alone(tmp_path: Path) -> None:
    assert look(Rearranged(), tmp_path, exchanged(floor=0.0, transposed=60.0)) == []
    assert look(Rearranged(), tmp_path / "two", exchanged(), exchanged(y="z", floor=1.3, transposed=27.4)) == []


def test_a_fit_that_leaves_nothing_is_a_number_too(tmp_path: Path) -> None:
    [found] = look(Rearranged(), tmp_path, exchanged(rows=40, floor=5.0, transposed=0.0))
    assert (found.level, found.evidence["floor as transposed"]) == ("bug", "0")


@pytest.mark.parametrize(
    "rule", [Broadcast(), Rearranged(), Mixed(), WrongAxis(), WrongLayer()], ids=lambda rule: rule.code
)
def test_runs_without_steps_or_operations_cannot_be_checked(tmp_path: Path, rule: Rule) -> None:
    for folder, events in (("none", []), ("blind", [StepsDone(1, 1, [2.0], [0.1], [0.01], [64])])):
        for evidence in evidence_of(tmp_path / folder, *events):
            with pytest.raises(CannotCheck, match=r"no step was taken|were not recorded"):
                assert not list(rule.look(evidence))
                rule.clean(evidence)


def row(
    index: int,
    name: str,
    inputs: list[Any],
    shapes: list[list[int]],
    tracked: list[bool],
    out: list[int],
    **others: Any,
) -> dict[str, Any]:
    return {
        "index": index,
        "name": name,
        "module": "",
        "file": "train.py",
        "line": 2,
        "inputs": inputs,
        "input_shapes": shapes,
        "input_dtypes": ["float32"] * len(shapes),
        "input_tracked": tracked,
        "shapes": [out],
        "dtype": "float32",
        "tracked": True,
        **others,
    }


def steps_with(*rows: dict[str, Any]) -> list[Event]:
    return [StepsDone(1, 1, [2.0], [0.1], [0.01], [8]), Operations(1, rows)]


def test_a_softmax_over_a_single_key_of_attention_is_only_likely(tmp_path: Path) -> None:
    weights = row(0, "softmax", ["w"], [[8, 2, 1, 1]], [True], [8, 2, 1, 1], constants={"dim": -1}, values=1.0)
    weights["values"] = [[[[1.0]], [[1.0]]]] * 8
    loss = row(1, "mean", [0], [[8, 2, 1, 1]], [True], [])
    back = row(2, "backward", [1], [[]], [True], [])
    [found] = look(WrongAxis(), tmp_path, *steps_with(weights, loss, back))
    assert found.level == "likely"


def test_cross_entropy_over_one_class_is_a_bug(tmp_path: Path) -> None:
    loss = row(0, "cross_entropy", ["w", "outside.0"], [[8, 1], [8]], [True, False], [], values=0.0)
    loss["input_dtypes"] = ["float32", "int64"]
    back = row(1, "backward", [0], [[]], [True], [])
    [found] = look(WrongAxis(), tmp_path, *steps_with(loss, back))
    assert found.level == "bug"
    assert found.title == "cross_entropy over axis 1 of (8, 1), which has one element: it always gives 0"


def test_data_of_the_shape_of_their_targets_say_nothing_of_examples(tmp_path: Path) -> None:
    rnn = row(0, "lstm", ["outside.0", "w"], [[8, 4, 3], [12, 3]], [False, True], [8, 4, 3], constants={"8": False})
    loss = row(1, "mse_loss", [0, "outside.1"], [[8, 4, 3], [8, 4, 3]], [True, False], [])
    back = row(2, "backward", [1], [[]], [True], [])
    for evidence in evidence_of(tmp_path, *steps_with(rnn, loss, back)):
        assert mixings(evidence) == []
        with pytest.raises(CannotCheck, match="which axis of the data holds the examples could not be told"):
            WrongAxis().clean(evidence)
