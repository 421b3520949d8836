"""Annotated scripts of other forms: functions, accumulated gradients, layers on lines of their own, odd syntax."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from check.harness import run_watched
from descend.annotating import annotate_run
from descend.explain.annotate.meaning import meaning_of
from descend.explain.annotate.names import Names
from descend.explain.annotate.program import programs_of

AXIS = "which axis to work along: 0 runs down the rows, 1 across the columns"
Annotated = Callable[..., dict[int, dict[str, Any]]]


@pytest.fixture
def annotated(tmp_path: Path) -> Annotated:
    def annotated(text: str, words: Any = "plain") -> dict[int, dict[str, Any]]:
        program = tmp_path / "script.py"
        program.write_text(textwrap.dedent(text).lstrip())
        assert run_watched(program, (), tmp_path) == 0, (tmp_path / "stderr").read_text()
        (run,) = (each for each in (tmp_path / "runs").iterdir() if each.is_dir() and not each.is_symlink())
        (file,) = annotate_run(run, words)["files"]
        return {line["number"]: line for line in file["lines"]}

    return annotated


def meanings(text: str, words: Any = "plain", phase: str = "") -> list[str]:
    """What each statement of a text on one level means, without a run."""
    (program,) = programs_of({"/a.py": textwrap.dedent(text).strip()})
    names = Names(program)
    found = [meaning_of(statement, names, words, phase) for statement in program.tree.body]
    return ["" if each is None else each.text for each in found]


def test_accumulated_gradients_are_no_count_of_the_loop(annotated: Annotated) -> None:
    lines = annotated(
        """
        import torch
        model = torch.nn.Sequential(
            torch.nn.Linear(4, 8),
            torch.nn.Tanh(),
            torch.nn.Linear(8, 2, bias=False),
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
        data = torch.utils.data.TensorDataset(x, y)
        loader = torch.utils.data.DataLoader(data, batch_size=4)
        criterion = torch.nn.CrossEntropyLoss()
        def fit(epochs):
            for epoch in range(epochs):
                for i, (xb, yb) in enumerate(loader):
                    loss = criterion(model(xb), yb) / 4
                    loss.backward()
                    if (i + 1) % 4 == 0:
                        optimizer.step()
                        optimizer.zero_grad()
        fit(3)
        """
    )
    assert [lines[number]["times"] for number in range(12, 20)] == [1] + [None] * 7  # 24 turns took 6 steps
    assert lines[15]["phase"] in ("forward", "loss")  # it is both: the longer one tells
    assert [lines[number]["phase"] for number in (16, 18, 19)] == ["backward", "update", "zero"]
    assert lines[14]["meaning"] == "repeats the lines below, once for each batch"
    assert lines[3]["meaning"] == "inputs: 4, outputs: 8; every output is a weighted sum of all inputs"
    assert (lines[3]["shapes"], lines[5]["shapes"]) == (["(8, 4)", "(8,)"], ["(2, 8)"])
    assert lines[4]["meaning"]
    assert lines[5]["meaning"].endswith("bias=False switches off: also learn a number that is always added")
    assert [lines[number]["times"] for number in (2, 3, 4, 5)] == [1] * 4


def test_a_training_in_a_function_that_is_called_twice(annotated: Annotated) -> None:
    lines = annotated(
        """
        import torch
        x, y = torch.randn(8, 2), torch.randn(8, 1)
        def fit(model):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            for _ in range(25):
                loss = torch.nn.functional.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        fit(torch.nn.Linear(2, 1))
        fit(torch.nn.Linear(2, 1))
        """
    )
    assert [lines[number]["times"] for number in range(3, 12)] == [1, 2, 50, 50, 50, 50, 50, 1, 1]
    assert lines[10]["meaning"] == "calls fit: see line 3"


def test_a_step_uphill_is_not_called_downhill() -> None:
    up, down, other, ema = meanings(
        "w += lr * w.grad\nw -= lr * w.grad\nv = 0.9 * v + w.grad\nw = v - w\n", phase="update"
    )
    assert down == "learns: takes a step against the slope, which is downhill"
    for each in (up, other, ema):
        assert each.startswith("does a part of the update: ")
        assert "downhill" not in each


def test_values_of_arguments_are_put_in_only_where_their_place_is_known() -> None:
    layer, function, given = meanings("nn.Linear(3, 4)\nF.linear(x, W)\nnn.Linear(in_features=n, out_features=4)")
    assert layer == "inputs: 3, outputs: 4; every output is a weighted sum of all inputs"
    assert "x" not in function.split()
    assert given == "inputs: n, outputs: 4; every output is a weighted sum of all inputs"


def test_words_about_an_axis_only_where_one_is_named() -> None:
    assert meanings("x.mean()\ntorch.mean(x)\ntorch.mean((a - b) ** 2)\nx.mean(0)\ntorch.sum(x, dim=1)") == [
        "the average of all numbers",
        "the average of all numbers",
        "the average of all numbers; before that: difference, power",
        "the average of all numbers, or of those along one axis",
        "adds all numbers up, or those along one axis; dim=1: " + AXIS,
    ]


@pytest.mark.parametrize(
    ("text", "plain", "terse"),
    [
        ("lr = 0.1", "sets how big a step each update takes", "learning rate"),
        ("N = 3", "gives a number a name", "constant"),
        ("name = 'a'", "gives a text a name", "text"),
        ("losses: list = []", "starts an empty collection, to be filled later", "empty collection"),
        ("y = x[3:]", "picks a part", "indexing"),
        ("y = a @ b / 2", "multiplies rows by columns, then divides", "matrix product, then quotient"),
        ("print(x.sum(), y + 1)", "shows something on the screen; before that: total, sum", "show"),
        ("print(loss)", "shows something on the screen", "show"),
        ("loss = nn.MSELoss()(a, b)", "nn.MSELoss(): the average of the squared misses: twice as far off counts four times", "nn.MSELoss(): mean squared error"),
        ("'''text'''", "", ""),
        ("fit(x)", "", ""),
    ],
)  # fmt: skip
def test_forms(text: str, plain: str, terse: str) -> None:
    assert meanings(text) == [plain]
    assert meanings(text, "terse") == [terse]


def test_any_syntax_is_annotated(annotated: Annotated) -> None:
    lines = annotated(
        """
        from dataclasses import dataclass
        import torch
        @dataclass
        class Config:
            lr: float = 0.1
            @property
            def twice(self): return self.lr * 2
        c = Config(); *rest, last = [1, 2, 3]
        while True:
            if (n := 3) > 2: break
        match last:
            case 3: print("three")
            case _: pass
        try:
            raise ValueError
        except ValueError: torch.ones(2)
        finally:
            del rest
        async def nothing(): ...
        f = lambda q, *a, **k: [torch.zeros(i) for i in q]
        f([1, 2])
        assert last == 3, "no"
        for i in (1, 2): print(i)
        else: print("done")
        """
    )
    assert lines[4]["times"] == 1
    assert lines[5]["meaning"] == "sets how big a step each update takes"
    assert lines[7]["meaning"]
    assert lines[10]["times"] is None
    assert lines[16]["times"] is None
    assert lines[23]["times"] == 2


def test_functions_of_another_file_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(
        "import torch\n\ndef double(x):\n    return x * 2\n\nONE = double(torch.ones(1))\n"
    )
    (tmp_path / "script.py").write_text("import torch\nfrom helper import double\n\nprint(double(torch.ones(3)))\n")
    assert run_watched(tmp_path / "script.py", (), tmp_path) == 0, (tmp_path / "stderr").read_text()
    (run,) = (each for each in (tmp_path / "runs").iterdir() if each.is_dir() and not each.is_symlink())
    files = {Path(each["file"]).name: each["lines"] for each in annotate_run(run, "plain")["files"]}
    assert files["script.py"][3]["times"] == 1
    assert (files["helper.py"][2]["times"], files["helper.py"][3]["times"]) == (1, None)  # called from two files


def test_cells_of_an_open_notebook_are_not_counted_together() -> None:
    one, several = ({f"cell {number}": "x = 1\n" for number in numbers} for numbers in ((4,), (4, 7)))
    assert [each.is_whole for each in programs_of(one)] == [True]
    assert [each.is_whole for each in programs_of(several)] == [False]
    assert [each.is_whole for each in programs_of({"a.ipynb cell 1": "", "a.ipynb cell 2": ""})] == [True]


def test_lines_are_counted_as_python_does(annotated: Annotated) -> None:
    lines = annotated("import torch\n\x0c\nx = torch.ones(2)  # a\x0cb \u2028 c\r\ny = torch.zeros(3)\n")
    assert [number for number, line in lines.items() if line["meaning"]] == [1, 3, 4]
    assert lines[4]["shapes"] == ["(3,)"]


def test_a_name_at_the_end_of_a_cell_shows_itself() -> None:
    (cell,) = programs_of({"a.ipynb cell 1": "x\n"})
    found = meaning_of(cell.tree.body[0], Names(cell), "plain")
    assert found is not None
    assert found.text == "at the end of a cell: shows it below"
    assert meanings("x") == [""]


def test_clearing_a_gradient_is_one_step() -> None:
    assert meanings("w.grad.zero_()") == ["sets every number to 0, such as the gradients before the next step"]
    assert meanings("(a + b).zero_()")[0].endswith("before that: sum")
